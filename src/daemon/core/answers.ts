/** The ends of answers: what is left of a journal's answer when its lists have been sent in frames of their own. */
import type { BackendName, ChangesAnswer, CheckpointAnswer, JournalStatus } from '../../journal/core/answers.ts';
import {
  booleanField,
  choiceField,
  countField,
  type JsonObject,
  nullableTextField,
  objectField,
  textField,
} from '../../transport/core/json.ts';
import { MAX_CURSOR_LENGTH, MAX_TEXT_LENGTH } from './limits.ts';
import { BACKENDS } from './messages.ts';

/** What the service says of itself, without its roots. */
export interface ServiceFacts {
  /** Of the process that answers: the worker, or a recorder in the foreground. */
  readonly workerPid: number;
  readonly program: string;
  /** Since that process began. */
  readonly uptimeMs: number;
}

export function readFacts(object: JsonObject): ServiceFacts {
  return {
    workerPid: countField(object, 'workerPid'),
    program: textField(object, 'program', 128),
    uptimeMs: countField(object, 'uptimeMs'),
  };
}

export function readCursor(object: JsonObject): string {
  return textField(object, 'cursor', MAX_CURSOR_LENGTH);
}

export function readBackend(object: JsonObject): BackendName {
  return choiceField(object, 'backend', BACKENDS);
}

export function checkpointEnd({ cursor, period, dirty }: CheckpointAnswer): JsonObject {
  return { cursor, period, dirty };
}

export function readCheckpoint(object: JsonObject): Pick<CheckpointAnswer, 'cursor' | 'period' | 'dirty'> {
  return { cursor: readCursor(object), period: countField(object, 'period'), dirty: countField(object, 'dirty') };
}

export function changesEnd({ cursor, backend, freshInstance }: Omit<ChangesAnswer, 'changes'>): JsonObject {
  return { cursor, backend, freshInstance };
}

export function readChanges(object: JsonObject): Pick<ChangesAnswer, 'cursor' | 'backend' | 'freshInstance'> {
  return {
    cursor: readCursor(object),
    backend: readBackend(object),
    freshInstance: booleanField(object, 'freshInstance'),
  };
}

export function statusEnd({ recording, backend, whyNotBetter, period, dirty, events }: JournalStatus): JsonObject {
  return { recording, backend, whyNotBetter, period, dirty, events };
}

export function readStatus(object: JsonObject): Omit<JournalStatus, 'hot' | 'gaps'> {
  const events = objectField(object, 'events');
  return {
    recording: booleanField(object, 'recording'),
    backend: readBackend(object),
    whyNotBetter: nullableTextField(object, 'whyNotBetter', MAX_TEXT_LENGTH),
    period: countField(object, 'period'),
    dirty: countField(object, 'dirty'),
    events: {
      received: countField(events, 'received'),
      foreign: countField(events, 'foreign'),
      silencedObjects: countField(events, 'silencedObjects'),
    },
  };
}

export interface VerificationEnd {
  readonly entries: number;
  readonly compared: number;
  readonly firstHashed: number;
}

export function readVerification(object: JsonObject): VerificationEnd {
  return {
    entries: countField(object, 'entries'),
    compared: countField(object, 'compared'),
    firstHashed: countField(object, 'firstHashed'),
  };
}
