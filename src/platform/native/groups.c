/*
 * fanotify groups and their marks.
 *
 * An event names the directory and the name (FAN_REPORT_DIR_FID, FAN_REPORT_NAME), the object (FAN_REPORT_FID) and what
 * a name stands for (FAN_REPORT_TARGET_FID). Nothing is asked for that depends on the kernel's version: it fails.
 */
#include "fan.h"
#include "paths.h"
#include "ring.h"
#include "stat.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define GROUP_FLAGS                                                                                             \
  (FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK | FAN_REPORT_FID | FAN_REPORT_DIR_FID | FAN_REPORT_NAME | \
   FAN_REPORT_TARGET_FID)

/*
 * The events of a file system or directory. Not DELETE_SELF and MOVE_SELF: DELETE and RENAME say the same, with names,
 * and on overlayfs asking after a deleted object makes another DELETE_SELF.
 */
#define EVENTS (FAN_MODIFY | FAN_ATTRIB | FAN_CLOSE_WRITE | FAN_CREATE | FAN_DELETE | FAN_RENAME | FAN_ONDIR)

/*
 * What silencing keeps away: changes of content. Attributes stay audible, for they tell of new hard links, through
 * which a silenced object would otherwise be written unseen; names are events of the directory and never silenced.
 */
#define SILENCED (FAN_MODIFY | FAN_CLOSE_WRITE)
/* Without SURV_MODIFY the first modification would end the mark; evictable, it does not pin the inode in memory. */
#define SILENCE (FAN_MARK_IGNORE_SURV | FAN_MARK_EVICTABLE)

static int open_group(bool is_unlimited) {
  if (TM_IS_OLD_KERNEL) {
    errno = EINVAL;
    return -1;
  }
  unsigned unlimited = is_unlimited ? FAN_UNLIMITED_QUEUE | FAN_UNLIMITED_MARKS : 0;
  return fanotify_init(GROUP_FLAGS | unlimited, O_RDONLY);
}

/* openGroup(unlimited): fd */
static napi_value group(napi_env env, napi_callback_info info) {
  napi_value values[1];
  bool is_unlimited;
  if (!tm_arguments(env, info, 1, values) || !tm_bool(env, values[0], &is_unlimited)) return NULL;
  return tm_descriptor(env, open_group(is_unlimited), "fanotify_init");
}

/* createRing(bytes): fd */
static napi_value ring(napi_env env, napi_callback_info info) {
  napi_value values[1];
  int64_t bytes;
  if (!tm_arguments(env, info, 1, values) || !tm_int64(env, values[0], &bytes)) return NULL;
  if (bytes < TM_RING_MIN_BYTES || bytes > TM_RING_MAX_BYTES) return tm_throw(env, EINVAL, "memfd_create");
  return tm_descriptor(env, tm_ring_create((size_t)bytes), "memfd_create");
}

static napi_value change_file_system_mark(napi_env env, napi_callback_info info, unsigned change) {
  napi_value values[2];
  int group, root;
  if (!tm_arguments(env, info, 2, values) || !tm_int(env, values[0], &group) || !tm_int(env, values[1], &root))
    return NULL;
  /* By a path below the descriptor, for one with O_PATH is refused itself. */
  return tm_done(env, fanotify_mark(group, change | FAN_MARK_FILESYSTEM, EVENTS, root, "."), "fanotify_mark");
}

/* markFileSystem(group, directory fd): void */
static napi_value mark_file_system(napi_env env, napi_callback_info info) {
  return change_file_system_mark(env, info, FAN_MARK_ADD);
}

/* unmarkFileSystem(group, directory fd): void */
static napi_value unmark_file_system(napi_env env, napi_callback_info info) {
  return change_file_system_mark(env, info, FAN_MARK_REMOVE);
}

static napi_value change_directory_mark(napi_env env, napi_callback_info info, unsigned change) {
  napi_value values[3];
  struct tm_bytes path;
  int group, root;
  if (!tm_arguments(env, info, 3, values) || !tm_int(env, values[0], &group) || !tm_int(env, values[1], &root) ||
      !tm_bytes_of(env, values[2], &path))
    return NULL;
  int directory = tm_open_directory(root, path.data, path.length, O_PATH);
  int result = directory < 0 ? -1
                             : fanotify_mark(group, change | FAN_MARK_ONLYDIR, EVENTS | FAN_EVENT_ON_CHILD, directory,
                                             ".");
  tm_close_quietly(directory);
  int error = errno;
  tm_release(&path);
  errno = error;
  return tm_done(env, result, "fanotify_mark");
}

/* markDirectory(group, root, path): void; the directory and the objects named in it */
static napi_value mark_directory(napi_env env, napi_callback_info info) {
  return change_directory_mark(env, info, FAN_MARK_ADD);
}

/* unmarkDirectory(group, root, path): void */
static napi_value unmark_directory(napi_env env, napi_callback_info info) {
  return change_directory_mark(env, info, FAN_MARK_REMOVE);
}

/* Of the object at a path, looked at and marked through one descriptor. 1 done, 0 not such an object, -1 errno. */
static int change_silence(int group, const struct tm_place *place, unsigned change) {
  struct statx found;
  char path[TM_PROC_PATH_BYTES];
  int object = tm_open_handle(place);
  if (object < 0) return -1;
  int result = tm_statx(object, "", &found);
  bool is_alone = result == 0 && S_ISREG(found.stx_mode) && (found.stx_nlink == 1 || change == FAN_MARK_REMOVE);
  if (result == 0 && is_alone) {
    tm_proc_path(object, path);
    result = fanotify_mark(group, change | SILENCE, SILENCED, AT_FDCWD, path);
    /* Evicted, or never there. */
    if (result != 0 && errno == ENOENT && change == FAN_MARK_REMOVE) is_alone = false, result = 0;
    if (result != 0) tm_blame_proc();
  }
  tm_close_quietly(object);
  return result == 0 ? is_alone : -1;
}

static napi_value silence_or_not(napi_env env, napi_callback_info info, unsigned change) {
  napi_value values[3];
  struct tm_place place;
  int group;
  if (!tm_arguments(env, info, 3, values) || !tm_int(env, values[0], &group) ||
      !tm_place_of(env, values[1], values[2], "fanotify_mark", &place))
    return NULL;
  int result = change_silence(group, &place, change);
  tm_leave(&place);
  return result < 0 ? tm_throw(env, errno, "fanotify_mark") : tm_boolean(env, result == 1);
}

/*
 * silence(group, root, path): boolean. False for what is no regular file, or has several names: one of the others may
 * be all that is left of it when it is looked at again.
 */
static napi_value silence(napi_env env, napi_callback_info info) { return silence_or_not(env, info, FAN_MARK_ADD); }

/* unsilence(group, root, path): boolean. False where it was not silenced (any more). */
static napi_value unsilence(napi_env env, napi_callback_info info) {
  return silence_or_not(env, info, FAN_MARK_REMOVE);
}

/* unsilenceAll(group): void; removes every mark on an object, directories included */
static napi_value unsilence_all(napi_env env, napi_callback_info info) {
  napi_value values[1];
  int group;
  if (!tm_arguments(env, info, 1, values) || !tm_int(env, values[0], &group)) return NULL;
  return tm_done(env, fanotify_mark(group, FAN_MARK_FLUSH, 0, AT_FDCWD, NULL), "fanotify_mark");
}

void tm_register_groups(napi_env env, napi_value exports) {
  static const struct tm_function functions[] = {
      {"openGroup", group},
      {"createRing", ring},
      {"markFileSystem", mark_file_system},
      {"unmarkFileSystem", unmark_file_system},
      {"markDirectory", mark_directory},
      {"unmarkDirectory", unmark_directory},
      {"silence", silence},
      {"unsilence", unsilence},
      {"unsilenceAll", unsilence_all},
  };
  tm_export(env, exports, functions, TM_COUNT(functions));
}
