/* SHA-256 and xxh64 of bytes in memory, as entries hold them. */
#ifndef TIDEMARK_DIGESTS_H
#define TIDEMARK_DIGESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TM_SHA256_BYTES 32
#define TM_XXH64_BYTES 8

/* False where the process has no OpenSSL to lend: the caller hashes in JavaScript then. */
bool tm_sha256(const uint8_t *bytes, size_t length, uint8_t out[TM_SHA256_BYTES]);
/* Seed 0, big-endian. */
void tm_xxh64(const uint8_t *bytes, size_t length, uint8_t out[TM_XXH64_BYTES]);

#endif
