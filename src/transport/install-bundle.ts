/** The agent's files: reading them beside the running program, naming their sum, and packing them for the trip. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants } from 'node:zlib';
import { errnoOf, TidemarkError } from '../platform/core/errors.ts';

export interface AgentFile {
  readonly name: string;
  readonly bytes: Buffer;
  /** Hexadecimal. */
  readonly sha256: string;
}

/** What a native file can run on. */
export interface HostKind {
  readonly platform: string;
  readonly arch: string;
  /** `glibc`, `musl`, or `none` where the platform leaves no choice. */
  readonly libc: string;
}

export interface AgentBundle {
  readonly files: readonly AgentFile[];
  /** SHA-256 over the names and digests of the files: the agent's name on other hosts. */
  readonly digest: string;
  /** What the native files among them were built for. */
  readonly builtFor: HostKind;
}

/** The files that make up the agent; the native ones are left out where the build has none. */
export const AGENT_FILES = ['agent.js', 'tidemark.node', 'lmdb.node'] as const;

/** Reads the agent from `folder`. Throws `agent-missing` where this installation has none. Cost: some MB are hashed. */
export async function readAgentBundle(folder: string, builtFor: HostKind = thisHost()): Promise<AgentBundle> {
  const files: AgentFile[] = [];
  for (const name of AGENT_FILES) {
    const bytes = await readIfThere(join(folder, name));
    if (bytes !== null) files.push({ name, bytes, sha256: sha256(bytes) });
  }
  if (files[0]?.name !== 'agent.js') {
    throw new TidemarkError('unavailable', 'agent-missing', `the agent is missing in ${folder}`, {
      remedy: 'Build it (npm run build) or install the package anew.',
    });
  }
  return { files, digest: digestOf(files), builtFor };
}

/** The agent's name: SHA-256 over `<sha256>  <name>\n` of each file, sorted, as the bootstrap computes it again. */
export function digestOf(files: readonly Pick<AgentFile, 'name' | 'sha256'>[]): string {
  const lines = files.map((file) => `${file.sha256}  ${file.name}\n`);
  return sha256(Buffer.from(lines.sort().join('')));
}

/** Why the bundle cannot run on a host of the kind `host`, or null where it can. */
export function fitsHost(bundle: AgentBundle, host: HostKind): string | null {
  if (!bundle.files.some((file) => file.name.endsWith('.node'))) return null;
  const { platform, arch, libc } = bundle.builtFor;
  if (platform === host.platform && arch === host.arch && libc === host.libc) return null;
  return `its native parts here are for ${platform} ${arch} (${libc}), the host is ${host.platform} ${host.arch} (${host.libc})`;
}

/** What the bootstrap reads: length of the header, header, files. */
export async function encodeUpload(bundle: AgentBundle): Promise<Buffer[]> {
  const packed = await Promise.all(bundle.files.map((file) => compress(file.bytes, BROTLI)));
  const files = bundle.files.map((file, index) => ({
    name: file.name,
    sizeBytes: file.bytes.length,
    wireBytes: packed[index]?.length ?? 0,
    encoding: 'brotli',
    sha256: file.sha256,
  }));
  const header = Buffer.from(JSON.stringify({ files }));
  return [Buffer.from(header.length.toString(16).padStart(8, '0')), header, ...packed];
}

/** The kind of this machine. */
export function thisHost(): HostKind {
  return { platform: process.platform, arch: process.arch, libc: libc() };
}

const compress = promisify(brotliCompress);

/** Level 5 packs 3 MB in about 0.1 s to a third; higher ones cost more time than most lines save. */
const BROTLI = { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } };

interface ReportHeader {
  readonly header?: { readonly glibcVersionRuntime?: string };
}

function libc(): string {
  if (process.platform !== 'linux') return 'none';
  // Without this the report looks up network names, which can take seconds.
  (process.report as { excludeNetwork?: boolean }).excludeNetwork = true;
  return (process.report.getReport() as ReportHeader).header?.glibcVersionRuntime ? 'glibc' : 'musl';
}

async function readIfThere(file: string): Promise<Buffer | null> {
  try {
    return await readFile(file);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw error;
  }
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
