/* Unix sockets and inherited descriptors, for the daemon. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 128
/* As many as systemd takes in one message. */
#define MAX_PASSED 64
#define SEND_SECONDS 2

static int bind_and_listen(int fd, const struct sockaddr_un *address, mode_t mode, const char *path) {
  if (bind(fd, (const struct sockaddr *)address, sizeof *address) != 0) return -1;
  /* Nobody connects before listen(), and nobody finds it before the rename: the mode holds from the start. */
  if (chmod(address->sun_path, mode) == 0 && listen(fd, BACKLOG) == 0 && rename(address->sun_path, path) == 0)
    return 0;
  int error = errno;
  unlink(address->sun_path);
  errno = error;
  return -1;
}

/* A listening socket at `path`, in place of what was there in one step; -1 with errno. */
static int listen_at(const struct tm_bytes *path, mode_t mode) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  uint32_t random;
  if (getrandom(&random, sizeof random, 0) != sizeof random) return -1;
  int length = snprintf(address.sun_path, sizeof address.sun_path, "%s.%08x", path->data, random);
  if (length < 0 || (size_t)length >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0 || bind_and_listen(fd, &address, mode, path->data) == 0) return fd;
  tm_close_quietly(fd);
  return -1;
}

/* listenUnix(path, mode): fd. ENAMETOOLONG from 99 bytes on. */
static napi_value listen_unix(napi_env env, napi_callback_info info) {
  napi_value values[2];
  struct tm_bytes path;
  int mode;
  if (!tm_arguments(env, info, 2, values) || !tm_int(env, values[1], &mode) || !tm_bytes_of(env, values[0], &path))
    return NULL;
  int fd = listen_at(&path, (mode_t)mode);
  int error = errno;
  tm_release(&path);
  errno = error;
  return tm_descriptor(env, fd, "listen");
}

/* peerUid(fd): number; whoever connected, as of then */
static napi_value peer_uid(napi_env env, napi_callback_info info) {
  napi_value values[1], result = NULL;
  int fd;
  struct ucred peer;
  socklen_t length = sizeof peer;
  if (!tm_arguments(env, info, 1, values) || !tm_int(env, values[0], &fd)) return NULL;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return tm_throw(env, errno, "getsockopt");
  napi_create_uint32(env, peer.uid, &result);
  return result;
}

/* `/path` or `@name` of the abstract namespace. False: neither, or too long; errno says which. */
static bool service_address(const struct tm_bytes *path, struct sockaddr_un *address, socklen_t *length) {
  *address = (struct sockaddr_un){.sun_family = AF_UNIX};
  errno = path->data[0] == '/' || path->data[0] == '@' ? ENAMETOOLONG : EAFNOSUPPORT;
  if (errno == EAFNOSUPPORT || path->length >= sizeof address->sun_path) return false;
  memcpy(address->sun_path, path->data, path->length);
  if (address->sun_path[0] == '@') address->sun_path[0] = 0;
  *length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path->length + (path->data[0] == '/'));
  return true;
}

static int send_with(int fd, struct msghdr *message, const int *passed, size_t count) {
  union {
    struct cmsghdr head;
    char space[CMSG_SPACE(sizeof(int) * MAX_PASSED)];
  } control = {.space = {0}};
  if (count > 0) {
    message->msg_control = &control;
    message->msg_controllen = CMSG_SPACE(sizeof(int) * count);
    struct cmsghdr *head = CMSG_FIRSTHDR(message);
    *head = (struct cmsghdr){
        .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int) * count)};
    memcpy(CMSG_DATA(head), passed, sizeof(int) * count);
  }
  return sendmsg(fd, message, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

static int notify(const struct tm_bytes *path, struct tm_bytes *state, const int *passed, size_t count) {
  struct sockaddr_un address;
  socklen_t length;
  if (!service_address(path, &address, &length)) return -1;
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  /* A manager that does not read must not hold up the daemon for good. */
  struct timeval patience = {.tv_sec = SEND_SECONDS};
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  struct iovec text = {.iov_base = state->data, .iov_len = state->length};
  struct msghdr message = {.msg_name = &address, .msg_namelen = length, .msg_iov = &text, .msg_iovlen = 1};
  int result = send_with(fd, &message, passed, count);
  tm_close_quietly(fd);
  return result;
}

static bool descriptors_of(napi_env env, napi_value array, int *out, uint32_t *count) {
  if (napi_get_array_length(env, array, count) != napi_ok || *count > MAX_PASSED) {
    tm_throw(env, EINVAL, "sendmsg");
    return false;
  }
  for (uint32_t index = 0; index < *count; index++) {
    napi_value value;
    if (napi_get_element(env, array, index, &value) != napi_ok || !tm_int(env, value, &out[index])) return false;
  }
  return true;
}

/* notifyService(socket path, state, fds): void */
static napi_value notify_service(napi_env env, napi_callback_info info) {
  napi_value values[3];
  struct tm_bytes path, state;
  int passed[MAX_PASSED];
  uint32_t count;
  if (!tm_arguments(env, info, 3, values) || !descriptors_of(env, values[2], passed, &count) ||
      !tm_bytes_of(env, values[0], &path))
    return NULL;
  if (!tm_bytes_of(env, values[1], &state)) {
    tm_release(&path);
    return NULL;
  }
  int result = notify(&path, &state, passed, count);
  int error = errno;
  tm_release(&path);
  tm_release(&state);
  errno = error;
  return tm_done(env, result, "sendmsg");
}

/* setCloseOnExec(fd, boolean): void */
static napi_value set_close_on_exec(napi_env env, napi_callback_info info) {
  napi_value values[2];
  int fd;
  bool closes;
  if (!tm_arguments(env, info, 2, values) || !tm_int(env, values[0], &fd) || !tm_bool(env, values[1], &closes))
    return NULL;
  return tm_done(env, fcntl(fd, F_SETFD, closes ? FD_CLOEXEC : 0), "fcntl");
}

/* isOpen(fd): boolean */
static napi_value is_open(napi_env env, napi_callback_info info) {
  napi_value values[1];
  int fd;
  if (!tm_arguments(env, info, 1, values) || !tm_int(env, values[0], &fd)) return NULL;
  return tm_boolean(env, fcntl(fd, F_GETFD) >= 0);
}

void tm_register_sockets(napi_env env, napi_value exports) {
  static const struct tm_function functions[] = {
      {"listenUnix", listen_unix},
      {"peerUid", peer_uid},
      {"notifyService", notify_service},
      {"setCloseOnExec", set_close_on_exec},
      {"isOpen", is_open},
  };
  tm_export(env, exports, functions, TM_COUNT(functions));
}
