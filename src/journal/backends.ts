/** Stand-in for the choice of backends until it is there. */
import type { BackendName } from './core/answers.ts';

export interface BackendProbe {
  readonly chosen: BackendName;
  /** Every backend better than the chosen one, best first, and why it is not to be had. */
  readonly better: readonly { readonly name: BackendName; readonly whyNot: string }[];
}

/** Which backend would record `path`, found by trying. */
export async function probeBackends(_path: string | Buffer): Promise<BackendProbe> {
  const whyNot = 'not built yet';
  return {
    chosen: 'scan',
    better: [
      { name: 'fanotify-filesystem', whyNot },
      { name: 'fanotify-directory', whyNot },
      { name: 'chokidar', whyNot },
    ],
  };
}
