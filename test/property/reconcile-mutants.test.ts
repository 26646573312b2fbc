/** Negative controls: reconcilers with one rule broken, each caught by the property that stands for the rule. */
import fc from 'fast-check';
import { afterEach, expect, test, vi } from 'vitest';
import type { FileEntry } from '../../src/journal/core/entry.ts';
import type { BytePath } from '../../src/platform/core/byte-path.ts';
import type { Row } from '../../src/sync/core/plan.ts';
import type { RowTable } from '../../src/sync/core/rename-table.ts';
import {
  alphaPrevails,
  converges,
  equalizes,
  ignoringDeletesNothing,
  isSymmetric,
  losesNothing,
  type Property,
  type Reconcile,
} from './reconcile-properties.ts';

type Anything = (...args: unknown[]) => unknown;
type Module = Readonly<Record<string, Anything>>;

const RULES = '../../src/sync/core/reconcile-rules.ts';
const FRAMES = '../../src/sync/core/reconcile-frames.ts';
const COMPARE = '../../src/sync/core/compare.ts';
const RENAME_TABLE = '../../src/sync/core/rename-table.ts';
const METADATA = '../../src/sync/core/compare-metadata.ts';

interface Mutant {
  readonly name: string;
  readonly caughtBy: Property;
  readonly file?: string;
  /** Broken functions in place of those of `file`. */
  readonly broken?: (actual: Module) => Module;
  /** Or rows seen wrongly. */
  readonly rows?: (row: Row) => Row;
}

const mutants: Mutant[] = [
  {
    name: 'a deletion beats a modification',
    caughtBy: losesNothing,
    file: RULES,
    broken: ({ judge }) => ({
      judge: (...args) => {
        const verdict = judge?.(...args);
        const { ancestor, alpha, beta } = args[0] as Row;
        if (ancestor === null || (alpha === null) === (beta === null)) return verdict;
        return alpha === null ? 'alpha' : 'beta';
      },
    }),
  },
  {
    name: 'alpha wins what both changed',
    caughtBy: losesNothing,
    file: RULES,
    broken: ({ judge }) => ({
      judge: (...args) => {
        const verdict = judge?.(...args);
        return verdict === 'contest' ? 'alpha' : verdict;
      },
    }),
  },
  {
    name: 'a directory makes room whatever is new in it',
    caughtBy: losesNothing,
    file: RULES,
    broken: () => ({ isNews: () => false }),
  },
  {
    name: 'ignored content does not keep its directory',
    caughtBy: converges,
    file: FRAMES,
    broken: () => ({ blockParent: () => undefined }),
  },
  {
    name: 'nothing wins below a directory that won',
    caughtBy: alphaPrevails,
    file: FRAMES,
    broken: () => ({ forcedBy: () => null }),
  },
  {
    name: 'two contents of one size are one',
    caughtBy: equalizes,
    file: COMPARE,
    broken: ({ compareContent }) => ({
      compareContent: (...args) => {
        const [left, right] = args as [FileEntry, FileEntry];
        const looksSame = left.kind === 'file' && right.kind === 'file' && left.sizeBytes === right.sizeBytes;
        return looksSame ? 'same' : compareContent?.(...args);
      },
    }),
  },
  {
    name: 'metadata of beta counts in one-way modes',
    caughtBy: equalizes,
    file: METADATA,
    broken: ({ mergeEntries }) => ({
      mergeEntries: (input, options) => mergeEntries?.({ ...(input as object), alphaOnly: false }, options),
    }),
  },
  {
    name: 'other metadata is not put',
    caughtBy: equalizes,
    file: METADATA,
    broken: () => ({ sameMetadata: () => true }),
  },
  {
    name: 'ignored is absent',
    caughtBy: converges,
    rows: (row) => ({ ...row, alpha: seen(row.alpha), beta: seen(row.beta) }),
  },
  {
    name: 'what is hidden counts as removed',
    caughtBy: ignoringDeletesNothing,
    file: RENAME_TABLE,
    broken: () => ({
      isRemoved: (_table, row, side) => {
        const { path, ancestor, [side as 'alpha']: entry } = row as Row;
        return path !== '' && ancestor !== null && entry === null;
      },
    }),
  },
  {
    name: 'directories that a rename needs are not made',
    caughtBy: converges,
    file: RENAME_TABLE,
    broken: ({ missingParents }) => ({ missingParents: (...args) => (missingParents?.(...args) === null ? null : []) }),
  },
  {
    name: 'a moved directory leaves its archive behind',
    caughtBy: converges,
    file: RENAME_TABLE,
    broken: ({ moveRows }) => ({
      moveRows: (table, from, to, ...rest) => {
        const paths = moveRows?.(table, from, to, ...rest) as BytePath[];
        const { rows } = table as RowTable;
        for (const path of paths) {
          const row = rows.get(path);
          if (row !== undefined) rows.set(path, { ...row, ancestor: null });
        }
        return paths;
      },
    }),
  },
  {
    name: 'the archive is what alpha holds',
    caughtBy: isSymmetric,
    rows: (row) => ({ ...row, ancestor: row.alpha as Row['ancestor'] }),
  },
  {
    name: 'directories have no archive',
    caughtBy: converges,
    rows: (row) => (row.ancestor?.kind === 'directory' ? { ...row, ancestor: null } : row),
  },
];

afterEach(() => {
  for (const file of [RULES, FRAMES, COMPARE, METADATA, RENAME_TABLE]) vi.doUnmock(file);
});

test.each(mutants)('$name', async ({ caughtBy, file, broken, rows }) => {
  vi.resetModules();
  if (file !== undefined && broken !== undefined) {
    vi.doMock(file, async (original) => {
      const actual = await original<Module>();
      return { ...actual, ...broken(actual) };
    });
  }
  const { reconcile }: { reconcile: Reconcile } = await import('../../src/sync/core/reconcile.ts');
  const { pairRenames } = await import('../../src/sync/core/rename.ts');
  const property = caughtBy((given, options) => {
    const seenRows = rows === undefined ? [...given] : [...given].map(rows);
    if (file !== RENAME_TABLE) return reconcile(seenRows, options);
    const pairing = pairRenames(seenRows, options);
    return [...pairing.renames, ...reconcile(pairing.rows, options)];
  });
  // One seed: whether a mutant is caught must not depend on luck.
  expect(fc.check(property, { seed: 1, numRuns: 50_000, endOnFailure: true }).failed).toBe(true);
});

function seen(entry: Row['alpha']): Row['alpha'] {
  return entry?.kind === 'untracked' ? null : entry;
}
