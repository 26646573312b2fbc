/* XXH64 after its published specification (xxHash, doc/xxhash_spec.md): four lanes of 8 bytes, then the tail. */
#include "xxh64.h"

#include <string.h>

#define PRIME_1 0x9E3779B185EBCA87ULL
#define PRIME_2 0xC2B2AE3D27D4EB4FULL
#define PRIME_3 0x165667B19E3779F9ULL
#define PRIME_4 0x85EBCA77C2B2AE63ULL
#define PRIME_5 0x27D4EB2F165667C5ULL

static inline uint64_t rotated(uint64_t value, int bits) {
  return (value << bits) | (value >> (64 - bits));
}

static inline uint64_t word64(const uint8_t *at) {
  uint64_t value;
  memcpy(&value, at, sizeof value);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  value = __builtin_bswap64(value);
#endif
  return value;
}

static inline uint32_t word32(const uint8_t *at) {
  uint32_t value;
  memcpy(&value, at, sizeof value);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  value = __builtin_bswap32(value);
#endif
  return value;
}

static inline uint64_t mixed(uint64_t lane, uint64_t input) {
  return rotated(lane + input * PRIME_2, 31) * PRIME_1;
}

static inline uint64_t merged(uint64_t hash, uint64_t lane) {
  return (hash ^ mixed(0, lane)) * PRIME_1 + PRIME_4;
}

uint64_t tidemark_xxh64(const uint8_t *bytes, size_t length, uint64_t seed) {
  const uint8_t *at = bytes;
  const uint8_t *end = bytes + length;
  uint64_t hash;
  if (length >= 32) {
    uint64_t a = seed + PRIME_1 + PRIME_2, b = seed + PRIME_2, c = seed, d = seed - PRIME_1;
    for (; end - at >= 32; at += 32) {
      a = mixed(a, word64(at));
      b = mixed(b, word64(at + 8));
      c = mixed(c, word64(at + 16));
      d = mixed(d, word64(at + 24));
    }
    hash = rotated(a, 1) + rotated(b, 7) + rotated(c, 12) + rotated(d, 18);
    hash = merged(merged(merged(merged(hash, a), b), c), d);
  } else {
    hash = seed + PRIME_5;
  }
  hash += length;
  for (; end - at >= 8; at += 8) hash = rotated(hash ^ mixed(0, word64(at)), 27) * PRIME_1 + PRIME_4;
  if (end - at >= 4) {
    hash = rotated(hash ^ (word32(at) * PRIME_1), 23) * PRIME_2 + PRIME_3;
    at += 4;
  }
  for (; at < end; at++) hash = rotated(hash ^ (*at * PRIME_5), 11) * PRIME_1;
  hash = (hash ^ (hash >> 33)) * PRIME_2;
  hash = (hash ^ (hash >> 29)) * PRIME_3;
  return hash ^ (hash >> 32);
}
