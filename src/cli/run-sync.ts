/** Where the floors meet: endpoints are made from addresses, opened as a pair, and handed to the engine. */
import { posix } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { Side } from '../journal/core/entry.ts';
import { TidemarkError } from '../platform/core/errors.ts';
import { openFileSystem } from '../platform/open-filesystem.ts';
import type { Checkpoint, Endpoint, EndpointInfo } from '../sync/endpoint.ts';
import { openPair } from '../sync/engine/open-pair.ts';
import { synchronize } from '../sync/engine/synchronize.ts';
import { verifyPair } from '../sync/engine/verify.ts';
import { type Halt, resultOf, type SideSummary, type Summary } from '../sync/report.ts';
import { Sessions } from '../sync/store/sessions.ts';
import { type EndpointAddress, formatEndpointAddress } from '../transport/core/endpoint-address.ts';
import { absolutePath, makeEndpoint } from './connect.ts';
import type { Reporter } from './output/reporter.ts';
import type {
  DoctorRow,
  ProbeRequest,
  ProbeResult,
  RequestContext,
  SyncRequest,
  VerifyRequest,
  VerifyResult,
} from './request.ts';

/** One bidirectional sync. Facts go to the reporter as they come; the summary is returned. */
export async function runSync(request: SyncRequest, reporter: Reporter, signal: AbortSignal): Promise<Summary> {
  const startedAt = performance.now();
  progress(reporter, 'connecting');
  const addressOf = (side: Side, path: string) => canonicalAddress(request[side], path);
  const sessions = new Sessions(openFileSystem().fileSystem, request.folders.state);
  return withEndpoints(request, signal, async (sides) => {
    const { session: options, run } = request;
    const named = { alpha: namedAddress(request.alpha), beta: namedAddress(request.beta) };
    const pair = await openPair({ sides, addressOf, named, sessions, options, run });
    try {
      const facts = { request, sides, infos: pair.infos, addresses: pair.addresses, startedAt };
      if (pair.store === null) return summaryOf(facts, null, pair.halt);
      const result = await synchronize({
        sides,
        infos: pair.infos,
        store: pair.store,
        options,
        run,
        conflictTime: fileTime(new Date()),
        report: (event) => reporter.event(event),
        signal,
      });
      return summaryOf(facts, result, result.halt);
    } finally {
      pair.close();
    }
  });
}

/** Reads both sides in full and compares; writes nothing, also no state. */
export async function runVerify(
  request: VerifyRequest,
  reporter: Reporter,
  signal: AbortSignal,
): Promise<VerifyResult> {
  const startedAt = performance.now();
  progress(reporter, 'connecting');
  return withEndpoints(request, signal, async (sides) => {
    const found = await verifyPair(sides, request.session, (event) => reporter.event(event), signal);
    return { ...found, elapsedMs: Math.round(performance.now() - startedAt) };
  });
}

/** Connects and looks. */
export async function probeEndpoint(request: ProbeRequest, signal: AbortSignal): Promise<ProbeResult> {
  const rows: DoctorRow[] = [];
  let endpoint: Endpoint | undefined;
  try {
    endpoint = await makeEndpoint(request.address, request, signal, (row) => rows.push(row));
    const info = await endpoint.open({ session: '', dryRun: true, writable: false });
    return { rows, info, error: null };
  } catch (error) {
    if (!(error instanceof TidemarkError)) throw error;
    return { rows, info: null, error };
  } finally {
    await endpoint?.close();
  }
}

/** Connects both sides at once and closes them whatever happens; a signal during that ends the connections. */
async function withEndpoints<T>(
  request: RequestContext & Pick<SyncRequest, 'alpha' | 'beta'>,
  signal: AbortSignal,
  work: (sides: Readonly<Record<Side, Endpoint>>) => Promise<T>,
): Promise<T> {
  const connecting = [
    makeEndpoint(request.alpha, request, signal),
    makeEndpoint(request.beta, request, signal),
  ] as const;
  try {
    const [alpha, beta] = await Promise.all(connecting);
    return await work({ alpha, beta });
  } finally {
    const connected = await Promise.allSettled(connecting);
    await Promise.all(connected.map((side) => (side.status === 'fulfilled' ? side.value.close() : undefined)));
  }
}

interface RunFacts {
  readonly request: SyncRequest;
  readonly sides: Readonly<Record<Side, Endpoint>>;
  readonly infos: Readonly<Record<Side, EndpointInfo>>;
  readonly addresses: Readonly<Record<Side, string>>;
  readonly startedAt: number;
}

type SyncOutcome = Awaited<ReturnType<typeof synchronize>>;

function summaryOf(facts: RunFacts, outcome: SyncOutcome | null, halt: Halt | null): Summary {
  const { request, sides, startedAt } = facts;
  const ledger = outcome?.ledger;
  const [conflicts, deferred, failed] = [ledger?.conflicts ?? [], ledger?.deferred ?? [], ledger?.failed ?? []];
  const traffic = [sides.alpha.traffic(), sides.beta.traffic()];
  const perSide = (pick: (checkpoint: Checkpoint) => number) => ({
    alpha: outcome === null ? 0 : pick(outcome.checkpoints.alpha),
    beta: outcome === null ? 0 : pick(outcome.checkpoints.beta),
  });
  return {
    result: resultOf({ halt, dryRun: request.run.dryRun, failed, conflicts, deferred }),
    mode: request.session.mode,
    alpha: sideSummary('alpha', facts, outcome),
    beta: sideSummary('beta', facts, outcome),
    conflicts,
    deferred,
    failed,
    halt,
    bytes: {
      ...(ledger?.bytes ?? { literal: 0, matched: 0, reused: 0 }),
      sent: traffic.reduce((sum, { sent }) => sum + sent, 0),
      received: traffic.reduce((sum, { received }) => sum + received, 0),
    },
    scanned: outcome?.scanned ?? { alpha: 0, beta: 0 },
    hashed: { alpha: outcome?.hashed.alpha ?? 0, beta: outcome?.hashed.beta ?? 0 },
    entries: perSide(({ entries }) => entries),
    elapsedMs: Math.round(performance.now() - startedAt),
  };
}

function sideSummary(side: Side, { infos, addresses }: RunFacts, outcome: SyncOutcome | null): SideSummary {
  const counters = outcome?.ledger.counters[side];
  return {
    root: addresses[side],
    backend: infos[side].backend,
    cursor: outcome?.checkpoints[side].cursor ?? '',
    created: counters?.created ?? 0,
    modified: counters?.modified ?? 0,
    deleted: counters?.deleted ?? 0,
    renamed: counters?.renamed ?? 0,
    metadata: counters?.metadata ?? 0,
  };
}

/** One text for one place, however it was written: relative, through symlinks, below the home directory. */
function canonicalAddress(address: EndpointAddress, path: string): string {
  return formatEndpointAddress(address.kind === 'local' ? { ...address, path } : { ...address, path, home: false });
}

/** The endpoint as it was typed, wherever that was; symlinks in it are what it is about, and stay. */
function namedAddress(address: EndpointAddress): string {
  if (address.kind === 'ssh') return formatEndpointAddress(address);
  return formatEndpointAddress({
    kind: 'local',
    path: posix.resolve('/', absolutePath(address.path).toString('latin1')),
  });
}

function progress(reporter: Reporter, phase: 'connecting'): void {
  reporter.event({ type: 'progress', phase, filesDone: 0, filesTotal: 0, bytesDone: 0, bytesTotal: 0 });
}

/** `20250131T235959Z`: UTC, fit for a file name. */
function fileTime(date: Date): string {
  return date.toISOString().replace(/[-:]/g, '').replace(/\.\d+/, '');
}
