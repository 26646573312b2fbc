/** What a session knows of its two roots, as its archive keeps it: JSON, validated when read. */
import { MalformedError } from '../../platform/core/bytes.ts';

/** One root of a session as of its last settled run. */
export interface SideFacts {
  /** Canonical text of the endpoint. */
  readonly address: string;
  /** Marker id or file system identity; see RootState. */
  readonly identity: string;
  readonly kind: 'directory' | 'file';
  /** Point in the root's changes (`instance.sequence`) up to which the archive speaks. */
  readonly cursor: string;
  /** Tracked entries below the root. */
  readonly entries: number;
}

export interface SessionFacts {
  /** Hex id of the session. */
  readonly session: string;
  readonly alpha: SideFacts;
  readonly beta: SideFacts;
  /** Options of the last settled run that decide what is wanted of an entry; absent in what version 0.1.0 wrote. */
  readonly rulesKey?: string;
}

/** Longest text of a field: an address holds a path. */
const MAX_TEXT = 64 * 1024;

/** The inverse of JSON.stringify; unknown fields are dropped. Throws MalformedError. */
export function parseSessionFacts(json: string): SessionFacts {
  const facts = parseObject(json);
  const rulesKey = facts.rulesKey === undefined ? {} : { rulesKey: text(facts.rulesKey) };
  return { session: text(facts.session), alpha: side(facts.alpha), beta: side(facts.beta), ...rulesKey };
}

/** A JSON object as a record of unknown values. Throws MalformedError for anything else. */
export function parseObject(json: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw new MalformedError('not JSON');
  }
  return objectOf(value);
}

export function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new MalformedError('object expected');
  return value as Record<string, unknown>;
}

export function text(value: unknown): string {
  if (typeof value !== 'string' || value.length > MAX_TEXT) throw new MalformedError('text expected');
  return value;
}

function side(value: unknown): SideFacts {
  const facts = objectOf(value);
  const { kind, entries } = facts;
  if (kind !== 'directory' && kind !== 'file') throw new MalformedError('unknown kind of root');
  if (!Number.isSafeInteger(entries) || Number(entries) < 0) throw new MalformedError('count expected');
  return {
    address: text(facts.address),
    identity: text(facts.identity),
    kind,
    cursor: text(facts.cursor),
    entries: Number(entries),
  };
}
