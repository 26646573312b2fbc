/** Readers of JSON from a peer: own fields only, each with its type and limit; violations throw MalformedError. */
import { MalformedError } from '../../platform/core/bytes.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

/** The object in `bytes`. */
export function parseObject(bytes: Uint8Array, what: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  } catch {
    throw new MalformedError(`${what} is not JSON`);
  }
  return asObject(value, what);
}

/** A value as the bytes of its JSON. */
export function jsonBytes(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value), 'utf8');
}

export function asObject(value: unknown, what: string): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new MalformedError(`${what} is not an object`);
  }
  return value as JsonObject;
}

/** An own field, undefined where it is missing: what a prototype has is not what the peer said. */
export function field(from: JsonObject, name: string): unknown {
  return Object.hasOwn(from, name) ? from[name] : undefined;
}

export function objectField(from: JsonObject, name: string): JsonObject {
  return asObject(field(from, name), name);
}

export function textField(from: JsonObject, name: string, maxLength: number): string {
  const value = field(from, name);
  if (typeof value !== 'string') throw new MalformedError(`${name} is not a string`);
  if (value.length > maxLength) throw new MalformedError(`${name} of ${value.length} characters`);
  return value;
}

/** A string in which every code unit is one byte (see byte-path.ts). */
export function bytesField(from: JsonObject, name: string, maxLength: number): string {
  return asBytes(textField(from, name, maxLength), name);
}

export function asBytes(value: string, name: string): string {
  for (let index = 0; index < value.length; index++) {
    if (value.charCodeAt(index) > 0xff) throw new MalformedError(`${name} is not a byte string`);
  }
  return value;
}

export function nullableTextField(from: JsonObject, name: string, maxLength: number): string | null {
  return field(from, name) === null ? null : textField(from, name, maxLength);
}

export function booleanField(from: JsonObject, name: string): boolean {
  const value = field(from, name);
  if (typeof value !== 'boolean') throw new MalformedError(`${name} is not a boolean`);
  return value;
}

/** A whole number from 0 to `max`. */
export function countField(from: JsonObject, name: string, max: number = Number.MAX_SAFE_INTEGER): number {
  const value = field(from, name);
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0 || value > max) {
    throw new MalformedError(`${name} is not a whole number up to ${max}`);
  }
  return value;
}

export function choiceField<T extends string>(from: JsonObject, name: string, choices: readonly T[]): T {
  const value = field(from, name);
  const choice = choices.find((candidate) => candidate === value);
  if (choice === undefined) throw new MalformedError(`${name} is none of ${choices.join(', ')}`);
  return choice;
}

export function textListField(from: JsonObject, name: string, maxItems: number, maxLength: number): string[] {
  const value = field(from, name);
  if (!Array.isArray(value) || value.length > maxItems)
    throw new MalformedError(`${name} is not a list up to ${maxItems}`);
  return value.map((item: unknown) => {
    if (typeof item !== 'string' || item.length > maxLength) throw new MalformedError(`${name} holds something else`);
    return item;
  });
}
