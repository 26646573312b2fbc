/** Failures as they travel in `error` and `goodbye` frames: JSON of fault, code, message and remedy. */
import { MalformedError } from '../../platform/core/bytes.ts';
import { type Fault, TidemarkError } from '../../platform/core/errors.ts';
import { cleanText } from './escape.ts';
import { choiceField, field, jsonBytes, parseObject, textField } from './json.ts';
import { MAX_ERROR_BYTES, MAX_ERROR_TEXT } from './limits.ts';

const FAULTS: readonly Fault[] = ['usage', 'unavailable', 'halted', 'locked', 'interrupted', 'internal'];
const CODE = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;

/** Whatever was thrown, as the payload of an `error` frame; texts are clipped. */
export function encodeError(thrown: unknown): Buffer {
  const error = asTidemarkError(thrown);
  // Three bytes a character at most after escaping the text to BMP characters and quotes: 16 KiB would be overstepped.
  for (let limit = MAX_ERROR_TEXT; ; limit = Math.floor(limit / 2)) {
    const bytes = jsonBytes({
      fault: error.fault,
      code: CODE.test(error.code) ? error.code : 'internal',
      message: cleanText(error.message, limit),
      ...(error.remedy === undefined ? {} : { remedy: cleanText(error.remedy, limit) }),
    });
    if (bytes.length <= MAX_ERROR_BYTES) return bytes;
  }
}

/** The failure a peer reports. Its texts are cleaned, for they end up on a terminal. Throws MalformedError. */
export function decodeError(payload: Uint8Array): TidemarkError {
  const object = parseObject(payload, 'error');
  const fault = choiceField(object, 'fault', FAULTS);
  const code = textField(object, 'code', 64);
  if (!CODE.test(code)) throw new MalformedError('error code with unexpected characters');
  const message = cleanText(textField(object, 'message', MAX_ERROR_BYTES), MAX_ERROR_TEXT);
  const hasRemedy = field(object, 'remedy') !== undefined;
  const remedy = hasRemedy ? { remedy: cleanText(textField(object, 'remedy', MAX_ERROR_BYTES), MAX_ERROR_TEXT) } : {};
  return new TidemarkError(fault, code, message, remedy);
}

/** The error of a broken rule of the protocol. */
export function violation(detail: string): TidemarkError {
  return new TidemarkError('unavailable', 'protocol-violation', `the other side broke the protocol: ${detail}`);
}

function asTidemarkError(thrown: unknown): TidemarkError {
  if (thrown instanceof TidemarkError) return thrown;
  if (thrown instanceof MalformedError) return new TidemarkError('unavailable', 'malformed', thrown.message);
  const code = (thrown as { code?: unknown } | null)?.code;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new TidemarkError('internal', typeof code === 'string' ? code : 'internal', message);
}
