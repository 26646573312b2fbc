/** Rows about what is there to reach other hosts with. */
import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import type { Environment } from '../folders.ts';
import type { DoctorRow } from '../request.ts';

/** An ssh program that takes longer than this to say its version, or an agent to answer, is broken. */
const PATIENCE_MS = 3000;

export async function sshRows(environment: Environment): Promise<DoctorRow[]> {
  return Promise.all([programRow(environment), agentRow(environment)]);
}

async function programRow(environment: Environment): Promise<DoctorRow> {
  const version = await sshVersion(environment);
  if (version !== null) return { topic: 'ssh program', state: 'ok', text: version };
  const text = 'none in PATH; the built-in client works without, but --rsh and Match rules of ssh_config need one';
  return { topic: 'ssh program', state: 'lost', text };
}

/** `ssh -V` speaks on stderr. */
function sshVersion(environment: Environment): Promise<string | null> {
  return new Promise((resolve) => {
    const child = spawn('ssh', ['-V'], {
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: PATIENCE_MS,
      env: { ...environment },
    });
    let text = '';
    child.stderr.setEncoding('utf8');
    child.stderr.on('data', (chunk: string) => {
      text = (text + chunk).slice(0, 200);
    });
    child.on('error', () => resolve(null));
    child.on('close', (code) => resolve(code === 0 ? (text.split('\n')[0] ?? '').trim() : null));
  });
}

async function agentRow({ SSH_AUTH_SOCK: socket = '' }: Environment): Promise<DoctorRow> {
  const topic = 'ssh agent';
  const remedy = 'Start ssh-agent and run ssh-add, or keep keys in files.';
  if (socket === '') return { topic, state: 'lost', text: 'none; keys are read from files', remedy };
  const fault = await connectFault(socket);
  if (fault === null) return { topic, state: 'ok', text: `answers at ${socket}` };
  return { topic, state: 'lost', text: `does not answer at ${socket} (${fault})`, remedy };
}

function connectFault(socket: string): Promise<string | null> {
  return new Promise((resolve) => {
    const connection = connect(socket);
    const end = (fault: string | null) => {
      connection.destroy();
      resolve(fault);
    };
    connection.setTimeout(PATIENCE_MS, () => end('no answer'));
    connection.on('connect', () => end(null));
    connection.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  });
}
