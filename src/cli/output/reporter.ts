/** Who hears what a run reports. */
import type { RunEvent, Summary } from '../../sync/report.ts';
import type { VerifyResult } from '../request.ts';

/** Turns facts into output. Never throws for what it is told; where output fails, it goes quiet. */
export interface Reporter {
  event(event: RunEvent): void;
  /** The end of a sync. */
  summary(summary: Summary): void;
  /** The end of a verification. */
  verified(result: VerifyResult): void;
  /** The end of a run that could not go on. Printing the error is somebody else's work; this is for the record. */
  stopped(error: Error): void;
}

/** Tells all of `reporters`, in order. */
export function combined(reporters: readonly Reporter[]): Reporter {
  return {
    event: (event) => {
      for (const reporter of reporters) reporter.event(event);
    },
    summary: (summary) => {
      for (const reporter of reporters) reporter.summary(summary);
    },
    verified: (result) => {
      for (const reporter of reporters) reporter.verified(result);
    },
    stopped: (error) => {
      for (const reporter of reporters) reporter.stopped(error);
    },
  };
}
