#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "digests.h"
#include "xxh64.h"

#include <dlfcn.h>
#include <endian.h>
#include <pthread.h>
#include <string.h>

/*
 * Node carries OpenSSL, with assembly for every processor, and shows its functions to addons. Looked up by name, so that
 * one binary serves every Node, also one built without it.
 */
typedef unsigned char *sha256_function(const unsigned char *bytes, size_t length, unsigned char *out);

static sha256_function *sha256;

static void find_sha256(void) { sha256 = (sha256_function *)dlsym(RTLD_DEFAULT, "SHA256"); }

bool tm_sha256(const uint8_t *bytes, size_t length, uint8_t out[TM_SHA256_BYTES]) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, find_sha256);
  return sha256 != NULL && sha256(bytes, length, out) != NULL;
}

void tm_xxh64(const uint8_t *bytes, size_t length, uint8_t out[TM_XXH64_BYTES]) {
  uint64_t hash = htobe64(tidemark_xxh64(bytes, length, 0));
  memcpy(out, &hash, sizeof hash);
}
