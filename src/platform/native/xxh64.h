/* xxh64 of a buffer in memory. */
#ifndef TIDEMARK_XXH64_H
#define TIDEMARK_XXH64_H

#include <stddef.h>
#include <stdint.h>

uint64_t tidemark_xxh64(const uint8_t *bytes, size_t length, uint64_t seed);

#endif
