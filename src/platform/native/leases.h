/* Read leases: granted only while nobody has the file open for writing. */
#ifndef TIDEMARK_LEASES_H
#define TIDEMARK_LEASES_H

#include <stdbool.h>

enum tm_lease { TM_LEASE_HELD = 0, TM_LEASE_REFUSED = 1, TM_LEASE_UNSUPPORTED = 2 };

enum tm_lease tm_take_lease(int fd);
bool tm_holds_lease(int fd);

#endif
