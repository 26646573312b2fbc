/*
 * Block signatures and the rolling search in C.
 *
 * The same algorithm, table and bounds as src/sync/core/{rolling,block-table,block-matcher}.ts, which explain them; both give
 * the same output and the same counts (test/sync/delta-engine.test.ts). A change here is a change there.
 */
#include "delta.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "xxh64.h"

#define WEAK_BASE 0x2c1b3c6dU
#define CHECKSUM_BYTES 12
#define MAX_BLOCK_BYTES (8U << 20)
#define MAX_BLOCKS (1U << 20)
#define MAX_BUCKET 16
#define MIN_BUCKET_BITS 8
#define FILTER_EXTRA_BITS 6
#define MAX_FILTER_BITS 24
#define CREDIT_BLOCKS 64

struct matcher {
  uint32_t block_bytes;
  uint32_t last_bytes;
  uint32_t count;
  uint64_t seed;
  uint32_t *weak;
  uint64_t *strong;
  uint8_t *filter;
  uint32_t filter_shift;
  int32_t *heads;
  uint32_t bucket_shift;
  int32_t *next;
  uint32_t leaving_power;
  /* The block after the last match, -1 for none; adjacent: directly behind a match. */
  int32_t expected;
  bool adjacent;
  uint64_t passed_bytes;
  uint64_t scan_start;
  uint64_t strong_bytes;
  uint64_t failed_bytes;
  uint64_t bucket_steps;
};

/* Runs found by one scan, in the caller's array. */
struct runs {
  uint32_t *cells;
  uint32_t count;
  uint32_t capacity;
};

static uint32_t weak_power(uint32_t exponent) {
  uint32_t result = 1;
  for (uint32_t square = WEAK_BASE; exponent > 0; exponent >>= 1, square *= square) {
    if (exponent & 1) result *= square;
  }
  return result;
}

/* Eight bytes a step: one multiplication in the chain instead of eight. */
static uint32_t weak_of(const uint8_t *bytes, size_t length) {
  const uint32_t p1 = WEAK_BASE, p2 = p1 * p1, p3 = p2 * p1, p4 = p2 * p2;
  const uint32_t p5 = p4 * p1, p6 = p4 * p2, p7 = p4 * p3, p8 = p4 * p4;
  uint32_t weak = 0;
  size_t at = 0;
  for (; at + 8 <= length; at += 8) {
    const uint8_t *b = bytes + at;
    uint32_t eight = b[0] * p7 + b[1] * p6 + b[2] * p5 + b[3] * p4 + b[4] * p3 + b[5] * p2 + b[6] * p1 + b[7];
    weak = weak * p8 + eight;
  }
  for (; at < length; at++) weak = weak * p1 + bytes[at];
  return weak;
}

static uint32_t length_of(const struct matcher *matcher, uint32_t block) {
  return block == matcher->count - 1 ? matcher->last_bytes : matcher->block_bytes;
}

static bool is_whole(const struct matcher *matcher, uint32_t block) {
  return length_of(matcher, block) == matcher->block_bytes;
}

static void enter_block(struct matcher *matcher, uint32_t block) {
  const uint32_t weak = matcher->weak[block];
  const uint32_t bucket = weak >> matcher->bucket_shift;
  int32_t last = -1;
  int length = 0;
  for (int32_t other = matcher->heads[bucket]; other >= 0; other = matcher->next[other]) {
    if (matcher->weak[other] == weak && matcher->strong[other] == matcher->strong[block]) return;
    last = other;
    length++;
  }
  if (length == MAX_BUCKET) return;
  if (last < 0) matcher->heads[bucket] = (int32_t)block;
  else matcher->next[last] = (int32_t)block;
  const uint32_t bit = weak >> matcher->filter_shift;
  matcher->filter[bit >> 3] |= (uint8_t)(1U << (bit & 7));
}

static void free_matcher(struct matcher *matcher) {
  if (matcher == NULL) return;
  free(matcher->weak);
  free(matcher->strong);
  free(matcher->filter);
  free(matcher->heads);
  free(matcher->next);
  free(matcher);
}

static void unpack_checksums(struct matcher *matcher, const uint8_t *checksums) {
  for (uint32_t block = 0; block < matcher->count; block++) {
    const uint8_t *at = checksums + (size_t)block * CHECKSUM_BYTES;
    memcpy(&matcher->weak[block], at, 4);
    memcpy(&matcher->strong[block], at + 4, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    matcher->weak[block] = __builtin_bswap32(matcher->weak[block]);
    matcher->strong[block] = __builtin_bswap64(matcher->strong[block]);
#endif
  }
}

/* NULL where memory is short. */
static struct matcher *new_matcher(const uint8_t *checksums, uint32_t count, uint32_t block_bytes, uint32_t last_bytes, uint64_t seed) {
  uint32_t bits = MIN_BUCKET_BITS;
  while ((1U << bits) < 2 * count) bits++;
  struct matcher *matcher = calloc(1, sizeof *matcher);
  if (matcher == NULL) return NULL;
  matcher->block_bytes = block_bytes;
  matcher->last_bytes = last_bytes;
  matcher->count = count;
  matcher->seed = seed;
  matcher->expected = -1;
  matcher->leaving_power = weak_power(block_bytes);
  matcher->bucket_shift = 32 - bits;
  const uint32_t filter_bits = bits + FILTER_EXTRA_BITS < MAX_FILTER_BITS ? bits + FILTER_EXTRA_BITS : MAX_FILTER_BITS;
  matcher->filter_shift = 32 - filter_bits;
  const size_t cells = count > 0 ? count : 1;
  matcher->weak = malloc(cells * sizeof *matcher->weak);
  matcher->strong = malloc(cells * sizeof *matcher->strong);
  matcher->next = malloc(cells * sizeof *matcher->next);
  matcher->heads = malloc(sizeof *matcher->heads << bits);
  matcher->filter = calloc((size_t)1 << (filter_bits - 3), 1);
  if (!matcher->weak || !matcher->strong || !matcher->next || !matcher->heads || !matcher->filter) {
    free_matcher(matcher);
    return NULL;
  }
  memset(matcher->next, 0xff, cells * sizeof *matcher->next);
  memset(matcher->heads, 0xff, sizeof *matcher->heads << bits);
  unpack_checksums(matcher, checksums);
  for (uint32_t block = 0; block < count; block++) {
    if (is_whole(matcher, block)) enter_block(matcher, block);
  }
  return matcher;
}

static uint64_t strong_of(struct matcher *matcher, const uint8_t *bytes, size_t length) {
  matcher->strong_bytes += length;
  return tidemark_xxh64(bytes, length, matcher->seed);
}

/* Records a match, joined to the run before it where it continues that; returns the position behind it. */
static size_t accept(struct matcher *matcher, size_t position, uint32_t block, struct runs *runs) {
  uint32_t *run = runs->count > 0 ? runs->cells + 3 * ((size_t)runs->count - 1) : NULL;
  if (run && run[1] + run[2] == block && run[0] + (uint64_t)run[2] * matcher->block_bytes == position) {
    run[2]++;
  } else {
    run = runs->cells + 3 * (size_t)runs->count++;
    run[0] = (uint32_t)position;
    run[1] = block;
    run[2] = 1;
  }
  matcher->expected = block + 1 < matcher->count ? (int32_t)(block + 1) : -1;
  matcher->adjacent = matcher->expected >= 0;
  return position + length_of(matcher, block);
}

static int32_t look_up(struct matcher *matcher, const uint8_t *bytes, size_t position, uint32_t weak) {
  int32_t block = matcher->heads[weak >> matcher->bucket_shift];
  while (block >= 0 && matcher->weak[block] != weak) {
    matcher->bucket_steps++;
    block = matcher->next[block];
  }
  if (block < 0) return -1;
  const uint32_t window = matcher->block_bytes;
  const uint64_t passed = matcher->passed_bytes + (position - matcher->scan_start);
  if (matcher->failed_bytes + window > passed + (uint64_t)CREDIT_BLOCKS * window) return -1;
  const uint64_t strong = strong_of(matcher, bytes + position, window);
  const int32_t expected = matcher->expected;
  if (expected >= 0 && is_whole(matcher, (uint32_t)expected) && matcher->weak[expected] == weak && matcher->strong[expected] == strong) {
    return expected;
  }
  for (; block >= 0; block = matcher->next[block]) {
    matcher->bucket_steps++;
    if (matcher->weak[block] == weak && matcher->strong[block] == strong) return block;
  }
  matcher->failed_bytes += window;
  return -1;
}

static inline bool may_be(const struct matcher *matcher, uint32_t weak) {
  const uint32_t bit = weak >> matcher->filter_shift;
  return (matcher->filter[bit >> 3] >> (bit & 7)) & 1;
}

/*
 * Slides to the next match (*block ≥ 0) or to the first position whose window is not complete. Four positions a step:
 * their checksums come from the one before them by independent multiplications, so the chain is one in four bytes.
 */
static size_t slide(struct matcher *matcher, const uint8_t *bytes, size_t from, size_t to, int32_t *block) {
  *block = -1;
  const size_t window = matcher->block_bytes;
  if (matcher->count == 0) return to;
  if (to - from < window) return from;
  const size_t end = to - window;
  const uint32_t p1 = WEAK_BASE, p2 = p1 * p1, p3 = p2 * p1, p4 = p2 * p2;
  const uint32_t power = matcher->leaving_power;
  uint32_t weak = weak_of(bytes + from, window);
  size_t position = from;
  for (; position + 4 <= end; position += 4) {
    const uint8_t *out = bytes + position;
    const uint8_t *in = out + window;
    const uint32_t d0 = in[0] - out[0] * power, d1 = in[1] - out[1] * power;
    const uint32_t d2 = in[2] - out[2] * power, d3 = in[3] - out[3] * power;
    const uint32_t e1 = d0 * p1 + d1, e2 = e1 * p1 + d2, e3 = e2 * p1 + d3;
    const uint32_t weaks[4] = {weak, weak * p1 + d0, weak * p2 + e1, weak * p3 + e2};
    if (may_be(matcher, weaks[0]) | may_be(matcher, weaks[1]) | may_be(matcher, weaks[2]) | may_be(matcher, weaks[3])) {
      for (size_t step = 0; step < 4; step++) {
        if (!may_be(matcher, weaks[step])) continue;
        *block = look_up(matcher, bytes, position + step, weaks[step]);
        if (*block >= 0) return position + step;
      }
    }
    weak = weak * p4 + e3;
  }
  while (true) {
    if (may_be(matcher, weak)) {
      *block = look_up(matcher, bytes, position, weak);
      if (*block >= 0) return position;
    }
    if (position == end) return position + 1;
    weak = weak * p1 + bytes[position + window] - bytes[position] * power;
    position++;
  }
}

static size_t end_of_content(struct matcher *matcher, const uint8_t *bytes, size_t position, size_t to, struct runs *runs) {
  const uint32_t last = matcher->last_bytes;
  if (last > 0 && last < matcher->block_bytes && to - position >= last) {
    const size_t start = to - last;
    const uint32_t block = matcher->count - 1;
    if (weak_of(bytes + start, last) == matcher->weak[block] && strong_of(matcher, bytes + start, last) == matcher->strong[block]) {
      accept(matcher, start, block, runs);
    }
  }
  matcher->adjacent = false;
  return to;
}

static size_t scan(struct matcher *matcher, const uint8_t *bytes, size_t from, size_t to, bool is_last, struct runs *runs) {
  size_t position = from;
  matcher->scan_start = from;
  while (runs->count < runs->capacity) {
    if (matcher->adjacent) {
      const uint32_t expected = (uint32_t)matcher->expected;
      const size_t length = length_of(matcher, expected);
      const bool fits = to - position >= length;
      if (!fits && !is_last) break;
      matcher->adjacent = false;
      if (fits && strong_of(matcher, bytes + position, length) == matcher->strong[expected]) {
        position = accept(matcher, position, expected, runs);
        continue;
      }
    }
    int32_t block;
    position = slide(matcher, bytes, position, to, &block);
    if (block < 0) {
      if (is_last) position = end_of_content(matcher, bytes, position, to, runs);
      break;
    }
    position = accept(matcher, position, (uint32_t)block, runs);
  }
  matcher->passed_bytes += position - from;
  return position;
}

/* From here: arguments from JavaScript, all checked. */

static napi_value refuse(napi_env env, const char *message) {
  napi_throw_type_error(env, NULL, message);
  return NULL;
}

static bool bytes_argument(napi_env env, napi_value value, uint8_t **data, size_t *length) {
  napi_typedarray_type type;
  void *start;
  bool is_array = false;
  if (napi_is_typedarray(env, value, &is_array) != napi_ok || !is_array) return false;
  if (napi_get_typedarray_info(env, value, &type, length, &start, NULL, NULL) != napi_ok) return false;
  *data = start;
  return type == napi_uint8_array;
}

static bool size_argument(napi_env env, napi_value value, double max, size_t *result) {
  double number;
  if (napi_get_value_double(env, value, &number) != napi_ok) return false;
  if (!(number >= 0 && number <= max)) return false;
  *result = (size_t)number;
  return (double)*result == number;
}

static bool seed_argument(napi_env env, napi_value value, uint64_t *seed) {
  bool lossless;
  return napi_get_value_bigint_uint64(env, value, seed, &lossless) == napi_ok;
}

static bool matcher_argument(napi_env env, napi_value value, struct matcher **matcher) {
  napi_valuetype type;
  void *pointer;
  if (napi_typeof(env, value, &type) != napi_ok || type != napi_external) return false;
  if (napi_get_value_external(env, value, &pointer) != napi_ok) return false;
  *matcher = pointer;
  return true;
}

static napi_value sign_blocks(napi_env env, napi_callback_info info) {
  napi_value arguments[5];
  size_t count = 5, length, block_bytes, out_length, offset;
  uint8_t *bytes, *out;
  uint64_t seed;
  napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
  if (count < 5 || !bytes_argument(env, arguments[0], &bytes, &length) ||
      !size_argument(env, arguments[1], MAX_BLOCK_BYTES, &block_bytes) || block_bytes == 0 ||
      !seed_argument(env, arguments[2], &seed) || !bytes_argument(env, arguments[3], &out, &out_length) ||
      !size_argument(env, arguments[4], (double)out_length, &offset)) {
    return refuse(env, "signBlocks(bytes, blockBytes, seed, out, outOffset)");
  }
  const size_t blocks = length / block_bytes + (length % block_bytes != 0);
  if (blocks > (out_length - offset) / CHECKSUM_BYTES) return refuse(env, "signBlocks: out is too small");
  uint8_t *at = out + offset;
  for (size_t start = 0; start < length; start += block_bytes, at += CHECKSUM_BYTES) {
    const size_t part = length - start < block_bytes ? length - start : block_bytes;
    uint32_t weak = weak_of(bytes + start, part);
    uint64_t strong = tidemark_xxh64(bytes + start, part, seed);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    weak = __builtin_bswap32(weak);
    strong = __builtin_bswap64(strong);
#endif
    memcpy(at, &weak, 4);
    memcpy(at + 4, &strong, 8);
  }
  return NULL;
}

/* About what a matcher occupies, told to the garbage collector, which sees only a small handle. */
static int64_t footprint(const struct matcher *matcher) {
  return (int64_t)sizeof *matcher + (int64_t)matcher->count * 16 + ((int64_t)4 << (32 - matcher->bucket_shift)) +
         ((int64_t)1 << (29 - matcher->filter_shift));
}

static void finalize_matcher(napi_env env, void *data, void *hint) {
  (void)hint;
  int64_t total;
  napi_adjust_external_memory(env, -footprint(data), &total);
  free_matcher(data);
}

static napi_value open_matcher(napi_env env, napi_callback_info info) {
  napi_value arguments[4], result;
  size_t count = 4, length, block_bytes, last_bytes;
  uint8_t *checksums;
  uint64_t seed;
  napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
  if (count < 4 || !bytes_argument(env, arguments[0], &checksums, &length) || length % CHECKSUM_BYTES != 0 ||
      length / CHECKSUM_BYTES > MAX_BLOCKS || !size_argument(env, arguments[1], MAX_BLOCK_BYTES, &block_bytes) ||
      block_bytes == 0 || !size_argument(env, arguments[2], (double)block_bytes, &last_bytes) ||
      (length == 0) != (last_bytes == 0) || !seed_argument(env, arguments[3], &seed)) {
    return refuse(env, "openMatcher(checksums, blockBytes, lastBytes, seed)");
  }
  struct matcher *matcher = new_matcher(checksums, (uint32_t)(length / CHECKSUM_BYTES), (uint32_t)block_bytes, (uint32_t)last_bytes, seed);
  if (matcher == NULL) {
    napi_throw_error(env, "ENOMEM", "no memory for a block table");
    return NULL;
  }
  if (napi_create_external(env, matcher, finalize_matcher, NULL, &result) != napi_ok) {
    free_matcher(matcher);
    return NULL;
  }
  int64_t total;
  napi_adjust_external_memory(env, footprint(matcher), &total);
  return result;
}

static bool found_argument(napi_env env, napi_value value, uint32_t **cells, uint32_t *capacity) {
  napi_typedarray_type type;
  void *start;
  size_t length;
  bool is_array = false;
  if (napi_is_typedarray(env, value, &is_array) != napi_ok || !is_array) return false;
  if (napi_get_typedarray_info(env, value, &type, &length, &start, NULL, NULL) != napi_ok) return false;
  if (type != napi_uint32_array || length < 5 || length > 1U << 24) return false;
  *cells = start;
  *capacity = (uint32_t)((length - 2) / 3);
  return true;
}

static napi_value scan_blocks(napi_env env, napi_callback_info info) {
  napi_value arguments[6];
  size_t count = 6, length, from, to;
  struct matcher *matcher;
  uint8_t *bytes;
  uint32_t *found;
  bool is_last;
  struct runs runs = {0};
  napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
  if (count < 6 || !matcher_argument(env, arguments[0], &matcher) || !bytes_argument(env, arguments[1], &bytes, &length) ||
      length > UINT32_MAX || !size_argument(env, arguments[3], (double)length, &to) ||
      !size_argument(env, arguments[2], (double)to, &from) || napi_get_value_bool(env, arguments[4], &is_last) != napi_ok ||
      !found_argument(env, arguments[5], &found, &runs.capacity)) {
    return refuse(env, "scanBlocks(matcher, bytes, from, to, isLast, found)");
  }
  runs.cells = found + 2;
  found[0] = (uint32_t)scan(matcher, bytes, from, to, is_last, &runs);
  found[1] = runs.count;
  return NULL;
}

static napi_value match_counters(napi_env env, napi_callback_info info) {
  napi_value argument, result, number;
  size_t count = 1;
  struct matcher *matcher;
  napi_get_cb_info(env, info, &count, &argument, NULL, NULL);
  if (count < 1 || !matcher_argument(env, argument, &matcher)) return refuse(env, "matchCounters(matcher)");
  const uint64_t counters[3] = {matcher->strong_bytes, matcher->failed_bytes, matcher->bucket_steps};
  napi_create_array_with_length(env, 3, &result);
  for (uint32_t index = 0; index < 3; index++) {
    napi_create_double(env, (double)counters[index], &number);
    napi_set_element(env, result, index, number);
  }
  return result;
}

void tidemark_register_delta(napi_env env, napi_value exports) {
  const napi_property_descriptor properties[] = {
      {"signBlocks", NULL, sign_blocks, NULL, NULL, NULL, napi_enumerable, NULL},
      {"openMatcher", NULL, open_matcher, NULL, NULL, NULL, napi_enumerable, NULL},
      {"scanBlocks", NULL, scan_blocks, NULL, NULL, NULL, napi_enumerable, NULL},
      {"matchCounters", NULL, match_counters, NULL, NULL, NULL, napi_enumerable, NULL},
  };
  napi_define_properties(env, exports, sizeof properties / sizeof properties[0], properties);
}
