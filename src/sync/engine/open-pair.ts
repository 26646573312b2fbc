/**
 * Opens both sides of a pair, finds the session they belong to, and makes sure that syncing them makes sense, before
 * anything is touched.
 */

import type { Side } from '../../journal/core/entry.ts';
import { TidemarkError } from '../../platform/core/errors.ts';
import { guardRoots, type KnownRoot } from '../core/safety.ts';
import type { Endpoint, EndpointInfo, RootState } from '../endpoint.ts';
import type { RunOptions, SessionOptions } from '../options.ts';
import type { Halt } from '../report.ts';
import type { Sessions } from '../store/sessions.ts';
import { SessionStore } from './session-store.ts';

export interface PairInput {
  readonly sides: Readonly<Record<Side, Endpoint>>;
  /** Text of an endpoint whose canonical path turned out to be this byte string: the first key a session is found by. */
  readonly addressOf: (side: Side, canonicalPath: string) => string;
  /** The endpoints as the user named them, made absolute. */
  readonly named: Readonly<Record<Side, string>>;
  readonly sessions: Sessions;
  readonly options: Pick<SessionOptions, 'mode' | 'metadata'>;
  readonly run: RunOptions;
}

export interface Pair {
  readonly infos: Readonly<Record<Side, EndpointInfo>>;
  readonly addresses: Readonly<Record<Side, string>>;
  /** null where a halt stands in the way. */
  readonly store: SessionStore | null;
  readonly halt: Halt | null;
  close(): void;
}

/** Opens, checks, locks and binds. Throws TidemarkErrors; a safety halt is a value. */
export async function openPair(input: PairInput): Promise<Pair> {
  const { sides, addressOf, named, sessions, options, run } = input;
  const isOneWay = options.mode === 'one-way-safe' || options.mode === 'one-way-replica';
  const request = (side: Side) => ({ session: '', dryRun: run.dryRun, writable: !(isOneWay && side === 'alpha') });
  const [alpha, beta] = await Promise.all([sides.alpha.open(request('alpha')), sides.beta.open(request('beta'))]);
  const infos = { alpha, beta };
  const addresses = {
    alpha: addressOf('alpha', alpha.root.canonicalPath),
    beta: addressOf('beta', beta.root.canonicalPath),
  };
  refuseOverlap(infos, addresses);
  const identities = { alpha: alpha.root.identity, beta: beta.root.identity };
  const session = sessions.open({ addresses, identities, named }, { scratch: run.dryRun });
  try {
    const facts = session.archive.readSession();
    const known = (side: Side): KnownRoot | null => facts?.[side] ?? null;
    const halt = run.force
      ? null
      : guardRoots({ alpha: known('alpha'), beta: known('beta') }, { alpha: alpha.root, beta: beta.root });
    if (halt !== null) return { infos, addresses, store: null, halt, close: () => session.close() };
    refuseUnfit(infos, addresses, isOneWay);
    const kind = alpha.root.kind === 'file' || beta.root.kind === 'file' ? 'file' : 'directory';
    const bound = await Promise.all([sides.alpha.bind(session.id, kind), sides.beta.bind(session.id, kind)]);
    const roots = {
      alpha: { address: addresses.alpha, identity: bound[0], kind },
      beta: { address: addresses.beta, identity: bound[1], kind },
    } as const;
    return {
      infos,
      addresses,
      store: new SessionStore(session.archive, session.id, roots, options),
      halt: null,
      close: () => session.close(),
    };
  } catch (error) {
    session.close();
    throw error;
  }
}

/** Refuses a pair whose roots are one directory, or one inside the other, by whatever names and links. */
function refuseOverlap(infos: Readonly<Record<Side, EndpointInfo>>, addresses: Readonly<Record<Side, string>>): void {
  const { alpha, beta } = { alpha: infos.alpha.root, beta: infos.beta.root };
  if (alpha.hostId === beta.hostId) {
    throw new TidemarkError(
      'usage',
      'same-root',
      `both endpoints are the same ${alpha.kind}: ${addresses.alpha} and ${addresses.beta}`,
      {
        remedy: 'Name two different directories.',
      },
    );
  }
  for (const [inner, outer, innerSide] of [
    [alpha, beta, 'alpha'],
    [beta, alpha, 'beta'],
  ] as const) {
    if (!inner.ancestorIds.includes(outer.hostId)) continue;
    throw new TidemarkError('usage', 'nested-roots', `${addresses[innerSide]} lies inside the other endpoint`, {
      remedy: 'Syncing a directory with a part of itself would never end; name two separate directories.',
    });
  }
}

/** What is there must fit together, also where --force lets a root be another one than it was. */
function refuseUnfit(
  infos: Readonly<Record<Side, EndpointInfo>>,
  addresses: Readonly<Record<Side, string>>,
  isOneWay: boolean,
): void {
  const roots: Readonly<Record<Side, RootState>> = { alpha: infos.alpha.root, beta: infos.beta.root };
  for (const side of ['alpha', 'beta'] as const) {
    const root = roots[side];
    if (root.kind === 'other') {
      throw new TidemarkError(
        'unavailable',
        'root-kind',
        `${addresses[side]} is neither a directory nor a regular file`,
        {
          remedy: 'Name a directory or a regular file.',
        },
      );
    }
    if (root.kind === 'missing' && !root.parentExists) {
      throw new TidemarkError(
        'unavailable',
        'parent-missing',
        `${addresses[side]} does not exist, nor does the directory it would be made in`,
        {
          remedy: 'Check the spelling, or create the parent directory first.',
        },
      );
    }
  }
  const { alpha, beta } = roots;
  if (alpha.kind === 'missing' && (beta.kind === 'missing' || isOneWay)) {
    throw new TidemarkError('unavailable', 'root-missing', `${addresses.alpha} does not exist`, {
      remedy: 'Check the spelling: there is nothing to sync from.',
    });
  }
  if (alpha.kind !== beta.kind && alpha.kind !== 'missing' && beta.kind !== 'missing') {
    throw new TidemarkError(
      'unavailable',
      'root-kinds-differ',
      `${addresses.alpha} is a ${alpha.kind}, ${addresses.beta} is a ${beta.kind}`,
      {
        remedy:
          'A file syncs with a file, a directory with a directory; add the name to the directory to mean a file in it.',
      },
    );
  }
}
