#include "events.h"

#include "fan.h"

#include <string.h>

/* Of an information record: kind, padding, length (u16); of its handle: bytes (u32), type (i32). */
#define HEADER_BYTES 4
#define HANDLE_AT (HEADER_BYTES + TM_FSID_BYTES)
#define BYTES_AT (HANDLE_AT + 8)

static bool read_key(const unsigned char *record, size_t length, struct tm_key *key, size_t *end) {
  uint32_t bytes;
  int32_t type;
  if (length < BYTES_AT) return false;
  memcpy(&bytes, record + HANDLE_AT, sizeof bytes);
  memcpy(&type, record + HANDLE_AT + 4, sizeof type);
  if (bytes > TM_HANDLE_MAX || bytes > length - BYTES_AT) return false;
  *end = BYTES_AT + bytes;
  /* A handle without bytes stands for none. */
  if (bytes > 0) tm_key_set(key, record + HEADER_BYTES, type, record + BYTES_AT, bytes);
  return true;
}

/* The name ends at its NUL; `.` is the directory itself and becomes empty. */
static bool read_name(const unsigned char *record, size_t length, size_t at, struct tm_name *name) {
  const char *bytes = (const char *)record + at;
  size_t room = length - at, size = strnlen(bytes, room);
  if (size == room) return false;
  bool is_self = size == 1 && bytes[0] == '.';
  *name = (struct tm_name){.bytes = bytes, .length = is_self ? 0 : size};
  return true;
}

static bool read_record(const unsigned char *record, size_t length, struct tm_event *event) {
  size_t end = 0;
  switch (record[0]) {
    case TM_FAN_FID:
      return read_key(record, length, &event->object, &end);
    case TM_FAN_DFID:
    case TM_FAN_NEW_DFID:
      return read_key(record, length, &event->directory, &end);
    case TM_FAN_OLD_DFID:
      return read_key(record, length, &event->from_directory, &end);
    case TM_FAN_DFID_NAME:
    case TM_FAN_NEW_DFID_NAME:
      return read_key(record, length, &event->directory, &end) && read_name(record, length, end, &event->name);
    case TM_FAN_OLD_DFID_NAME:
      return read_key(record, length, &event->from_directory, &end) &&
             read_name(record, length, end, &event->from_name);
    default:
      return true;
  }
}

bool tm_event_parse(const unsigned char *bytes, size_t length, struct tm_event *out) {
  struct fanotify_event_metadata metadata;
  if (length < TM_FAN_METADATA_BYTES) return false;
  memcpy(&metadata, bytes, sizeof metadata);
  out->mask = metadata.mask;
  out->directory.length = out->from_directory.length = out->object.length = 0;
  out->name = out->from_name = (struct tm_name){.bytes = "", .length = 0};
  for (size_t at = metadata.metadata_len; at < length;) {
    uint16_t size;
    if (length - at < HEADER_BYTES) return false;
    memcpy(&size, bytes + at + 2, sizeof size);
    if (size < HEADER_BYTES || size > length - at || !read_record(bytes + at, size, out)) return false;
    at += size;
  }
  return true;
}
