/**
 * What people do to two synced trees, and what must come of it. Written in the notation of test/support/trees.ts.
 *
 * A situation runs alone, or many share one pair, each in a folder of its own: paths here are relative to that folder.
 */
import type { Pair } from '../support/situations.ts';

export interface Situation {
  readonly name: string;
  readonly options?: readonly string[];
  /** Made on alpha and synced first; absent: the pair was never synced when the edits are there. */
  readonly before?: string;
  readonly alpha?: string;
  readonly beta?: string;
  /** What both sides are afterwards. */
  readonly both?: string;
  /** What they are where they differ. */
  readonly apart?: { readonly alpha: string; readonly beta: string };
  readonly conflicts?: readonly string[];
  readonly deferred?: readonly string[];
  readonly failed?: readonly string[];
  /** Exactly what was done: `beta rename a→b`, `alpha delete x`; in any order. */
  readonly actions?: readonly string[];
  /** Means something else in a folder of a larger tree. */
  readonly alone?: boolean;
  /** What the notation has no word for. `within` is the folder of the situation, below the root, with its slash. */
  readonly check?: (pair: Pair, within: string) => void;
}
