/** What the commands ask for: everything parsed, nothing opened yet. */
import type { UnitKind } from '../daemon/core/unit-file.ts';
import type { InstallOutcome } from '../daemon/install.ts';
import type { JournalAccess } from '../daemon/journals.ts';
import type { ServiceDescription } from '../daemon/service.ts';
import type { BytePath } from '../platform/core/byte-path.ts';
import type { TidemarkError } from '../platform/core/errors.ts';
import type { EndpointInfo } from '../sync/endpoint.ts';
import type { RunOptions, SessionOptions } from '../sync/options.ts';
import type { Summary } from '../sync/report.ts';
import type { EndpointAddress } from '../transport/core/endpoint-address.ts';
import type { CompressMode } from '../transport/core/hello.ts';
import type { Environment, Folders } from './folders.ts';
import type { Reporter } from './output/reporter.ts';
import type { Prompter } from './prompt.ts';

/** How to reach the other hosts. Texts, not byte strings; null: not given. */
export interface ConnectionOptions {
  /** An ssh program with arguments, in place of the built-in client. */
  readonly rsh: string | null;
  /** Files of private keys, in the order to try. */
  readonly identity: readonly string[];
  readonly port: number | null;
  readonly hostKey: 'strict' | 'accept-new';
  readonly sshConfig: string | null;
  readonly agentCommand: string | null;
  /** Bytes per second. */
  readonly bwlimit: number | null;
  readonly compress: CompressMode;
}

export interface OutputOptions {
  readonly json: boolean;
  /** undefined: where there is a terminal. */
  readonly progress: boolean | undefined;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly logFile: string | null;
}

/** What every run needs besides its endpoints. */
export interface RequestContext {
  readonly connection: ConnectionOptions;
  readonly folders: Folders;
  readonly prompter: Prompter;
}

export interface SyncRequest extends RequestContext {
  readonly alpha: EndpointAddress;
  readonly beta: EndpointAddress;
  readonly session: SessionOptions;
  readonly run: RunOptions;
}

export interface VerifyRequest extends RequestContext {
  readonly alpha: EndpointAddress;
  readonly beta: EndpointAddress;
  /** Of these, `ignore`, `metadata`, `symlinks`, `oneFileSystem` and `digest` decide what is compared. */
  readonly session: SessionOptions;
}

export interface ProbeRequest extends RequestContext {
  readonly address: EndpointAddress;
}

/** One path on which the sides differ. */
export interface Difference {
  readonly path: BytePath;
  /** What stands on that side, a few words: `file of 12 bytes`, `nothing`. */
  readonly alpha: string;
  readonly beta: string;
}

export interface VerifyResult {
  /** In path order. */
  readonly differences: readonly Difference[];
  /** Entries compared. */
  readonly entries: number;
  /** Bytes read and hashed, both sides together. */
  readonly hashedBytes: number;
  readonly elapsedMs: number;
}

/** One line of `doctor`. */
export interface DoctorRow {
  readonly topic: string;
  /** `lost`: it works, with fewer promises or more slowly. */
  readonly state: 'ok' | 'lost' | 'bad';
  readonly text: string;
  readonly remedy?: string;
}

/** What was found at an endpoint: the steps that worked, and the error that ended them. */
export interface ProbeResult {
  /** Rows about the way there (connection, host key, agent); none for a local endpoint. */
  readonly rows: readonly DoctorRow[];
  /** null where it was not reached; then `error` says why. */
  readonly info: EndpointInfo | null;
  readonly error: TidemarkError | null;
}

/** What tells one user's service from another's. */
export interface ServicePlace {
  readonly folders: Folders;
  readonly environment: Environment;
  readonly homeDirectory: string;
}

/** The background service, from outside and inside. */
export interface ServiceAccess {
  /** Is the service, until `signal` aborts. */
  run(log: (line: string) => void, signal: AbortSignal): Promise<void>;
  /** Starts one in the background; its process id, when it serves. */
  start(): Promise<number>;
  /** Ends it cleanly; false where none runs. */
  stop(signal: AbortSignal): Promise<boolean>;
  /** null where none runs. */
  describe(): Promise<ServiceDescription | null>;
  /** Roots it records, or would record if it ran; byte strings. */
  registered(): readonly string[];
  install(kind: UnitKind, force: boolean): InstallOutcome & { readonly warning: string | null };
  /** The file that was removed, or null. */
  uninstall(kind: UnitKind): string | null;
}

/** What the commands call, given from outside so that they can be tested without an engine. */
export interface Dependencies {
  /** Brings both sides together. Facts go to the reporter as they come; the summary is returned, not reported. */
  runSync(request: SyncRequest, reporter: Reporter, signal: AbortSignal): Promise<Summary>;
  /** Reads both sides in full and compares; writes nothing. */
  runVerify(request: VerifyRequest, reporter: Reporter, signal: AbortSignal): Promise<VerifyResult>;
  /** Connects and looks; writes nothing but the agent on the other host. */
  probeEndpoint(request: ProbeRequest, signal: AbortSignal): Promise<ProbeResult>;
  /** Speaks the protocol on stdin and stdout until the other side hangs up. */
  serveAgent(): Promise<void>;
  /** The journals of directories of this machine. */
  journals(folders: Folders): Promise<JournalAccess>;
  /** The service that records them in the background. */
  service(place: ServicePlace): Promise<ServiceAccess>;
}
