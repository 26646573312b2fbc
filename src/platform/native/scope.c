#include "scope.h"

#include "fan.h"

static const struct tm_key NO_KEY = {.length = 0};

static uint32_t bits_of(uint64_t mask) {
  return (mask & FAN_MODIFY ? TM_MODIFY : 0) | (mask & FAN_CLOSE_WRITE ? TM_CLOSE_WRITE : 0) |
         (mask & FAN_ATTRIB ? TM_ATTRIBUTES : 0) | (mask & FAN_CREATE ? TM_CREATE : 0) |
         (mask & FAN_DELETE ? TM_REMOVE : 0) | (mask & FAN_RENAME ? TM_RENAME : 0) |
         (mask & FAN_ONDIR ? TM_DIRECTORY : 0);
}

void tm_scope_begin(struct tm_scope *scope, uint32_t directory_limit) {
  tm_keys_begin(&scope->directories);
  tm_objects_begin(&scope->objects);
  scope->foreign = 1;
  scope->directory_limit = directory_limit;
}

void tm_scope_end(struct tm_scope *scope) {
  tm_keys_end(&scope->directories);
  tm_objects_end(&scope->objects);
}

bool tm_scope_renew(struct tm_scope *scope) {
  if (scope->directories.count <= scope->directory_limit) return false;
  tm_keys_clear(&scope->directories);
  return true;
}

static bool is_foreign(const struct tm_scope *scope, uint32_t directory) {
  const struct tm_key_entry *entry = tm_keys_at(&scope->directories, directory);
  return entry == NULL || entry->tag == scope->foreign;
}

/* Whether an event, whatever directory it names, is about an object that may have a name here. */
static bool may_be_ours(struct tm_scope *scope, const struct tm_event *event, uint32_t mask) {
  const struct tm_key *object = &event->object;
  bool is_new_name = (mask & (TM_CREATE | TM_DIRECTORY)) == TM_CREATE;
  bool has_no_name = event->directory.length == 0 && event->from_directory.length == 0;
  if (object->length == 0) return false;
  if (has_no_name && mask & TM_ATTRIBUTES) tm_objects_note_count(&scope->objects, object);
  return tm_objects_is_followed(&scope->objects, object) ||
         (is_new_name && tm_objects_may_have_links(&scope->objects, object));
}

/* False: out of memory. */
static bool number_of(struct tm_scope *scope, const struct tm_key *key, uint32_t *number) {
  *number = key->length == 0 ? 0 : tm_keys_intern(&scope->directories, key);
  return *number != 0 || key->length == 0;
}

enum tm_verdict tm_scope_line(struct tm_scope *scope, const struct tm_event *event, struct tm_line *line) {
  struct tm_line_head *head = &line->head;
  *head = (struct tm_line_head){.mask = bits_of(event->mask)};
  if (head->mask == 0 || head->mask == TM_DIRECTORY) return TM_FOREIGN;
  if (!number_of(scope, &event->directory, &head->directory)) return TM_LOST;
  if (!number_of(scope, &event->from_directory, &head->from)) return TM_LOST;
  bool is_elsewhere = is_foreign(scope, head->directory) && is_foreign(scope, head->from);
  /* Told with its object also where the directory is not known to be foreign yet: it may turn out to be. */
  bool is_shared = may_be_ours(scope, event, head->mask);
  if (is_elsewhere && !is_shared) return TM_FOREIGN;
  line->event = event;
  line->target = head->mask & (TM_DIRECTORY | TM_RENAME) || is_shared ? &event->object : &NO_KEY;
  /* A directory that speaks of itself has no record of an object: it is its own target. */
  bool is_itself = head->mask & TM_DIRECTORY && event->name.length == 0;
  if (line->target->length == 0 && is_itself) line->target = &event->directory;
  head->name = (uint16_t)event->name.length;
  head->from_name = (uint16_t)event->from_name.length;
  head->target = line->target->length;
  return TM_OURS;
}

void tm_scope_told(struct tm_scope *scope, const struct tm_line *line) {
  uint32_t renamed = TM_RENAME | TM_DIRECTORY;
  bool is_moved = (line->head.mask & renamed) == renamed && line->head.directory != 0;
  if (is_moved && !is_foreign(scope, line->head.directory)) tm_scope_reset_foreign(scope);
}

void tm_scope_set_foreign(struct tm_scope *scope, uint32_t directory) {
  struct tm_key_entry *entry = tm_keys_at(&scope->directories, directory);
  if (entry != NULL) entry->tag = scope->foreign;
}

void tm_scope_reset_foreign(struct tm_scope *scope) { scope->foreign++; }

uint32_t tm_scope_intern(struct tm_scope *scope, const struct tm_key *key) {
  uint32_t number = tm_keys_intern(&scope->directories, key);
  struct tm_key_entry *entry = tm_keys_at(&scope->directories, number);
  if (entry != NULL) entry->tag = 0;
  return number;
}
