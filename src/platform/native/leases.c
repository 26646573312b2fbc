#include "support.h"

#include "leases.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <time.h>

/* Not in every linux/magic.h. */
#ifndef CIFS_SUPER_MAGIC
#define CIFS_SUPER_MAGIC 0xFF534D42
#endif
#ifndef SMB2_SUPER_MAGIC
#define SMB2_SUPER_MAGIC 0xFE534D42
#endif
#ifndef CEPH_SUPER_MAGIC
#define CEPH_SUPER_MAGIC 0x00C36400
#endif
#ifndef FUSE_SUPER_MAGIC
#define FUSE_SUPER_MAGIC 0x65735546
#endif

/* A writer's last reference goes away a little after its close() returned: such a refusal passes within this time. */
#define TRANSIENT_STEPS 5
#define FIRST_STEP_NS 150000L

/*
 * Overlayfs grants a lease while somebody writes through a mapping. Where the files are really another host's or
 * another program's, a lease keeps out the writers of this kernel only; NFS and SMB even refuse it for want of a
 * delegation, with the very errno that elsewhere means a writer.
 */
static bool is_lease_worthless(const struct statfs *found) {
  switch ((uint32_t)found->f_type) {
  case OVERLAYFS_SUPER_MAGIC:
  case FUSE_SUPER_MAGIC:
  case NFS_SUPER_MAGIC:
  case CIFS_SUPER_MAGIC:
  case SMB2_SUPER_MAGIC:
  case V9FS_MAGIC:
  case CEPH_SUPER_MAGIC:
  case AFS_SUPER_MAGIC:
    return true;
  default:
    return false;
  }
}

/*
 * Asked every time. Device numbers come again as soon as a file system is unmounted, so an answer cannot be kept for
 * one: the tmpfs of a moment ago is the overlayfs of now.
 */
static bool proves_nothing(int fd) {
  struct statfs found;
  return fstatfs(fd, &found) == 0 && is_lease_worthless(&found);
}

enum tm_lease tm_take_lease(int fd) {
  if (proves_nothing(fd)) return TM_LEASE_UNSUPPORTED;
  struct timespec pause = {.tv_nsec = FIRST_STEP_NS};
  for (int step = 0;; step++) {
    if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0) return TM_LEASE_HELD;
    if (errno != EAGAIN && errno != EINTR) return TM_LEASE_UNSUPPORTED;
    if (step == TRANSIENT_STEPS) return TM_LEASE_REFUSED;
    nanosleep(&pause, NULL);
    pause.tv_nsec *= 2;
  }
}

bool tm_holds_lease(int fd) { return fcntl(fd, F_GETLEASE) == F_RDLCK; }

/* A broken lease is told by SIGIO, whose default is to end the process; leases are asked after instead. */
static void ignore_lease_signal(void) {
  struct sigaction now;
  if (sigaction(SIGIO, NULL, &now) != 0 || (now.sa_flags & SA_SIGINFO) || now.sa_handler != SIG_DFL) return;
  now.sa_handler = SIG_IGN;
  sigaction(SIGIO, &now, NULL);
}

/* takeReadLease(fd): 0 held, 1 refused, 2 unsupported */
static napi_value take_read_lease(napi_env env, napi_callback_info info) {
  napi_value values[1], result = NULL;
  int fd;
  if (!tm_arguments(env, info, 1, values) || !tm_int(env, values[0], &fd)) return NULL;
  napi_create_int32(env, tm_take_lease(fd), &result);
  return result;
}

/* holdsReadLease(fd): boolean */
static napi_value holds_read_lease(napi_env env, napi_callback_info info) {
  napi_value values[1];
  int fd;
  if (!tm_arguments(env, info, 1, values) || !tm_int(env, values[0], &fd)) return NULL;
  return tm_boolean(env, tm_holds_lease(fd));
}

/* releaseLease(fd): void; nothing to release is no error */
static napi_value release_lease(napi_env env, napi_callback_info info) {
  napi_value values[1];
  int fd;
  if (!tm_arguments(env, info, 1, values) || !tm_int(env, values[0], &fd)) return NULL;
  fcntl(fd, F_SETLEASE, F_UNLCK);
  return NULL;
}

/* tryLock(fd, shared): boolean */
static napi_value try_lock(napi_env env, napi_callback_info info) {
  napi_value values[2];
  int fd, result;
  bool shared;
  if (!tm_arguments(env, info, 2, values) || !tm_int(env, values[0], &fd) || !tm_bool(env, values[1], &shared))
    return NULL;
  do result = flock(fd, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB);
  while (result != 0 && errno == EINTR);
  if (result != 0 && errno != EWOULDBLOCK) return tm_throw(env, errno, "flock");
  return tm_boolean(env, result == 0);
}

void tm_register_leases(napi_env env, napi_value exports) {
  static const struct tm_function functions[] = {
      {"takeReadLease", take_read_lease},
      {"holdsReadLease", holds_read_lease},
      {"releaseLease", release_lease},
      {"tryLock", try_lock},
  };
  ignore_lease_signal();
  tm_export(env, exports, functions, TM_COUNT(functions));
}
