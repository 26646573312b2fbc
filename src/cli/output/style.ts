/** Colour, decided in one place. */
import type { Environment } from '../folders.ts';

type Paint = (text: string) => string;

export interface Style {
  readonly good: Paint;
  readonly careful: Paint;
  readonly bad: Paint;
  readonly faint: Paint;
  readonly strong: Paint;
}

const plain: Paint = (text) => text;

export const PLAIN: Style = { good: plain, careful: plain, bad: plain, faint: plain, strong: plain };

const COLOURED: Style = {
  good: sgr(32, 39),
  careful: sgr(33, 39),
  bad: sgr(31, 39),
  faint: sgr(2, 22),
  strong: sgr(1, 22),
};

/** Colours on a terminal that has them, unless NO_COLOR (https://no-color.org: any value but the empty one) is set. */
export function styleFor(isTerminal: boolean, environment: Environment): Style {
  const isRefused = (environment.NO_COLOR ?? '') !== '' || environment.TERM === 'dumb';
  return isTerminal && !isRefused ? COLOURED : PLAIN;
}

function sgr(on: number, off: number): Paint {
  return (text) => `\x1b[${on}m${text}\x1b[${off}m`;
}
