/**
 * The handshake: what comes before the first frame, what the first frame says, and what follows from both.
 *
 * Each side sends the magic and its `hello` at once, without waiting for the other. The magic, the frame header, and
 * `protocol` and `program` in the hello stay as they are in every version, so that any two versions can name each other.
 */
import { MalformedError } from '../../platform/core/bytes.ts';
import { TidemarkError } from '../../platform/core/errors.ts';
import { cleanText, escapeBytes } from './escape.ts';
import {
  asObject,
  countField,
  field,
  type JsonObject,
  jsonBytes,
  objectField,
  parseObject,
  textField,
} from './json.ts';
import {
  MAX_CHANNELS,
  MAX_NOISE_BYTES,
  MAX_WINDOW_BYTES,
  MIN_BYTES_PER_SECOND,
  MIN_WINDOW_BYTES,
  WINDOW_BYTES,
} from './limits.ts';

/** A byte no text begins with, a name, and the line ends a terminal in between would have changed. */
export const MAGIC: Buffer = Buffer.from([0x8a, 0x54, 0x49, 0x44, 0x45, 0x0d, 0x0a, 0x00]);

export const PROTOCOL = { major: 1, minor: 0 } as const;

export const COMPRESS_MODES = ['auto', 'none', 'zstd', 'brotli'] as const;
export type CompressMode = (typeof COMPRESS_MODES)[number];

export interface Hello {
  readonly major: number;
  readonly minor: number;
  /** Version of the program, for messages only. */
  readonly program: string;
  /** What this side understands beyond the major version: `zstd`, `brotli`. Unknown words are ignored. */
  readonly capabilities: readonly string[];
  /** Message bytes this side lets the other have under way on a channel. */
  readonly windowBytes: number;
  /** Channels this side serves at once. */
  readonly maxChannels: number;
  /** How the other side is asked to compress what it sends. */
  readonly compress: CompressMode;
  /** Rate the other side is asked to keep to. */
  readonly bytesPerSecond: number | null;
}

/** What both sides keep to. */
export interface Agreement {
  readonly minor: number;
  readonly capabilities: readonly string[];
  /** Credit to begin with on every channel we send on. */
  readonly sendWindowBytes: number;
  readonly maxChannels: number;
}

/** The payload of the hello frame. */
export function encodeHello(hello: Hello): Buffer {
  return jsonBytes({
    protocol: { major: hello.major, minor: hello.minor },
    program: hello.program,
    capabilities: hello.capabilities,
    limits: { windowBytes: hello.windowBytes, channels: hello.maxChannels },
    wishes: { compress: hello.compress, bytesPerSecond: hello.bytesPerSecond },
  });
}

/**
 * Reads a hello: unknown fields are ignored, missing optional ones defaulted.
 * Throws `protocol-version` for another major version, before it looks at anything else; MalformedError for nonsense.
 */
export function decodeHello(payload: Uint8Array, ownProgram: string): Hello {
  const object = parseObject(payload, 'hello');
  const protocol = objectField(object, 'protocol');
  const major = countField(protocol, 'major', 0xffff);
  const minor = countField(protocol, 'minor', 0xffff);
  const program = cleanText(textField(object, 'program', 128), 64);
  if (major !== PROTOCOL.major) throw versionError(ownProgram, { major, minor, program });
  const limits = optionalObject(object, 'limits');
  const wishes = optionalObject(object, 'wishes');
  const windowBytes = optionalCount(limits, 'windowBytes', WINDOW_BYTES);
  if (windowBytes < MIN_WINDOW_BYTES) throw new MalformedError(`window of ${windowBytes} bytes`);
  const maxChannels = optionalCount(limits, 'channels', MAX_CHANNELS);
  if (maxChannels < 1) throw new MalformedError('no channels');
  return {
    major,
    minor,
    program,
    capabilities: capabilitiesIn(object),
    windowBytes,
    maxChannels,
    compress: COMPRESS_MODES.find((mode) => mode === field(wishes, 'compress')) ?? 'auto',
    bytesPerSecond: rateIn(wishes),
  };
}

/** What follows from two hellos of the same major version. */
export function agree(own: Hello, theirs: Hello): Agreement {
  return {
    minor: Math.min(own.minor, theirs.minor),
    capabilities: own.capabilities.filter((capability) => theirs.capabilities.includes(capability)),
    sendWindowBytes: Math.min(theirs.windowBytes, MAX_WINDOW_BYTES),
    maxChannels: Math.min(own.maxChannels, theirs.maxChannels),
  };
}

/** Finds the magic behind whatever shell start-up files print; holds at most {@link MAX_NOISE_BYTES}. */
export class MagicFinder {
  readonly #seen = Buffer.allocUnsafe(MAX_NOISE_BYTES + MAGIC.length);
  #filled = 0;

  /** What follows the magic in `chunk`, or null while it has not come. Throws `handshake-noise` beyond the limit. */
  push(chunk: Buffer): Buffer | null {
    const searchFrom = Math.max(0, this.#filled - MAGIC.length + 1);
    const before = this.#filled;
    this.#filled += chunk.copy(this.#seen, before);
    const at = this.#seen.subarray(0, this.#filled).indexOf(MAGIC, searchFrom);
    if (at >= 0) {
      this.#filled = at;
      return chunk.subarray(at + MAGIC.length - before);
    }
    if (this.#filled === this.#seen.length) throw noiseError(this.noise());
    return null;
  }

  /** What came before the magic, escaped and clipped. */
  noise(): string {
    return escapeBytes(this.#seen.subarray(0, this.#filled), 400);
  }
}

function noiseError(noise: string): TidemarkError {
  return new TidemarkError(
    'unavailable',
    'handshake-noise',
    `the other side printed more than ${MAX_NOISE_BYTES} bytes before the protocol began: "${noise}"`,
    { remedy: 'let the shell start-up files there print nothing when they are not interactive' },
  );
}

function versionError(ownProgram: string, theirs: { major: number; minor: number; program: string }): TidemarkError {
  const own = `${ownProgram} (protocol ${PROTOCOL.major}.${PROTOCOL.minor})`;
  const other = `${theirs.program} (protocol ${theirs.major}.${theirs.minor})`;
  const older = theirs.major < PROTOCOL.major ? 'there' : 'here';
  return new TidemarkError('unavailable', 'protocol-version', `tidemark ${own} cannot talk to tidemark ${other}`, {
    remedy: `install a newer tidemark ${older}`,
  });
}

function capabilitiesIn(object: JsonObject): string[] {
  const value = field(object, 'capabilities') ?? [];
  if (!Array.isArray(value) || value.length > 256) throw new MalformedError('capabilities are not a list up to 256');
  return value.filter((item: unknown): item is string => typeof item === 'string' && item.length <= 64);
}

function rateIn(wishes: JsonObject): number | null {
  const value = field(wishes, 'bytesPerSecond') ?? null;
  if (value === null) return null;
  return Math.max(MIN_BYTES_PER_SECOND, countField(wishes, 'bytesPerSecond'));
}

function optionalObject(from: JsonObject, name: string): JsonObject {
  const value = field(from, name);
  return value === undefined || value === null ? {} : asObject(value, name);
}

function optionalCount(from: JsonObject, name: string, fallback: number): number {
  return field(from, name) === undefined ? fallback : countField(from, name);
}
