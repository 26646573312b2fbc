/**
 * The weak block checksum: a polynomial in the bytes, modulo 2^32, that slides by one byte in constant time.
 *
 * weak(b₀…bₙ₋₁) = Σ bᵢ · BASE^(n−1−i). This is the Rabin–Karp construction (Karp and Rabin, 1987), which spreads text
 * and binary tables over all 32 bits, where the sums of Adler's kind crowd into few values. It is not meant to resist
 * anybody: strings of Thue and Morse collide under every base. Whoever uses it bounds the work such collisions cause.
 */

/** Multiplier of the polynomial: odd and 5 modulo 8, so that its powers run through 2^30 values. */
export const WEAK_BASE = 0x2c1b3c6d;

/** The checksum of `bytes[from, to)` as an unsigned 32-bit number. */
export function weakOf(bytes: Uint8Array, from: number, to: number): number {
  let weak = 0;
  for (let index = from; index < to; index++) weak = (Math.imul(weak, WEAK_BASE) + (bytes[index] as number)) | 0;
  return weak >>> 0;
}

/** `WEAK_BASE` to the power of `exponent`, modulo 2^32. */
export function weakPower(exponent: number): number {
  let result = 1;
  let square: number = WEAK_BASE;
  for (let rest = exponent; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result = Math.imul(result, square);
    square = Math.imul(square, square);
  }
  return result >>> 0;
}

/**
 * What each byte contributes when it leaves a window of `windowBytes`: entry `b` is b · BASE^windowBytes.
 * Sliding is then `weak · BASE + entering − table[leaving]`.
 */
export function leavingTable(windowBytes: number): Int32Array {
  const power = weakPower(windowBytes);
  return Int32Array.from({ length: 256 }, (_, byte) => Math.imul(byte, power));
}
