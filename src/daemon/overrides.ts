/** What the environment changes about recording: for tests, and for finding out what a worse backend would do. */
import type { BackendName } from '../journal/core/answers.ts';
import { readBackend } from './core/answers.ts';

export interface RecordingOverrides {
  readonly atBest: BackendName;
  readonly weakened: readonly string[];
}

/** `TIDEMARK_BACKEND`: no better backend than this. `TIDEMARK_WEAKEN`: parts of the protocol left out. */
export function recordingOverrides(environment: Readonly<Record<string, string | undefined>>): RecordingOverrides {
  const wanted = environment.TIDEMARK_BACKEND ?? '';
  return {
    atBest: wanted === '' ? 'fanotify-filesystem' : readBackend({ backend: wanted }),
    weakened: (environment.TIDEMARK_WEAKEN ?? '').split(',').filter((word) => word !== ''),
  };
}
