/*
 * fanotify as the kernel speaks it. Headers of distributions lag behind kernels, so what they may lack is written out
 * here; whether the running kernel has it is found by trying.
 */
#ifndef TIDEMARK_FAN_H
#define TIDEMARK_FAN_H

#include "support.h"

#include <sys/fanotify.h>

#ifndef FAN_REPORT_FID
#define FAN_REPORT_FID 0x00000200
#endif
#ifndef FAN_REPORT_DIR_FID
#define FAN_REPORT_DIR_FID 0x00000400
#endif
#ifndef FAN_REPORT_NAME
#define FAN_REPORT_NAME 0x00000800
#endif
#ifndef FAN_REPORT_TARGET_FID
#define FAN_REPORT_TARGET_FID 0x00001000
#endif
#ifndef FAN_ATTRIB
#define FAN_ATTRIB 0x00000004
#endif
#ifndef FAN_CREATE
#define FAN_CREATE 0x00000100
#endif
#ifndef FAN_DELETE
#define FAN_DELETE 0x00000200
#endif
#ifndef FAN_RENAME
#define FAN_RENAME 0x10000000
#endif
#ifndef FAN_MARK_FILESYSTEM
#define FAN_MARK_FILESYSTEM 0x00000100
#endif
#ifndef FAN_MARK_EVICTABLE
#define FAN_MARK_EVICTABLE 0x00000200
#endif
#ifndef FAN_MARK_IGNORE
#define FAN_MARK_IGNORE 0x00000400
#endif
#ifndef FAN_MARK_IGNORE_SURV
#define FAN_MARK_IGNORE_SURV (FAN_MARK_IGNORE | FAN_MARK_IGNORED_SURV_MODIFY)
#endif

/* Kinds of information records, after the metadata of an event. */
enum tm_fan_info {
  TM_FAN_FID = 1,
  TM_FAN_DFID_NAME = 2,
  TM_FAN_DFID = 3,
  TM_FAN_OLD_DFID_NAME = 10,
  TM_FAN_OLD_DFID = 11,
  TM_FAN_NEW_DFID_NAME = 12,
  TM_FAN_NEW_DFID = 13,
};

/* Bytes of the metadata that each event begins with. */
#define TM_FAN_METADATA_BYTES 24
/* No event is larger: metadata, two directories with names of 255 bytes, one object, room for kinds to come. */
#define TM_FAN_EVENT_MAX 4096

#endif
