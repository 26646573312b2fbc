/** Rows about one endpoint, read off what it says of itself. */

import type { BytePath } from '../../platform/core/byte-path.ts';
import { displayPath, displayText } from '../../platform/core/display.ts';
import type { EndpointInfo } from '../../sync/endpoint.ts';
import { formatBytes } from '../output/units.ts';
import type { DoctorRow, ProbeResult } from '../request.ts';

/** What was found on the way to an endpoint and there. */
export function endpointRows({ rows, info, error }: ProbeResult): DoctorRow[] {
  const found = [...rows];
  if (info !== null) found.push(...infoRows(info));
  if (error !== null) {
    const remedy = error.remedy === undefined ? {} : { remedy: error.remedy };
    found.push({ topic: 'endpoint', state: 'bad', text: error.message, ...remedy });
  }
  return found;
}

function infoRows(info: EndpointInfo): DoctorRow[] {
  return [
    rootRow(info),
    { topic: 'version there', state: 'ok', text: displayText(info.version) },
    backendRow(info),
    fileSystemRow(info),
    ...foldingRows(info),
    ...(info.canExchange ? [] : [lost('exchange there', 'no atomic exchange on this file system')]),
    ...info.remarks.map((text): DoctorRow => ({ topic: 'remark', state: 'ok', text: displayText(text) })),
  ];
}

function rootRow({ root }: EndpointInfo): DoctorRow {
  const topic = 'root';
  const path = displayPath(root.canonicalPath as BytePath);
  if (root.kind === 'missing') {
    if (root.parentExists) return { topic, state: 'ok', text: `${path} is not there yet and would be made` };
    return {
      topic,
      state: 'bad',
      text: `${path} is missing, and so is its parent`,
      remedy: 'Make the parent directory.',
    };
  }
  if (root.kind === 'other') return { topic, state: 'bad', text: `${path} is neither a directory nor a file` };
  return { topic, state: 'ok', text: `${path}, ${root.isEmpty ? 'an empty directory' : `a ${root.kind}`}` };
}

function backendRow({ backend, whyNotBetter }: EndpointInfo): DoctorRow {
  if (whyNotBetter === null) return { topic: 'backend', state: 'ok', text: backend };
  return lost('backend', `${backend}; nothing better because ${displayText(whyNotBetter)}`);
}

function fileSystemRow({ fileSystem, freeBytes, readOnly, maxNameBytes }: EndpointInfo): DoctorRow {
  const text = `${displayText(fileSystem)}, ${formatBytes(freeBytes)} free, names up to ${maxNameBytes} bytes`;
  return readOnly ? lost('file system', `${text}, read-only`) : { topic: 'file system', state: 'ok', text };
}

function foldingRows({ foldsCase, foldsNormalization }: EndpointInfo): DoctorRow[] {
  const rows: DoctorRow[] = [];
  if (foldsCase) rows.push(lost('names', 'names that differ by case only are one here; such pairs become conflicts'));
  if (foldsNormalization) rows.push(lost('names', 'names that differ by Unicode form only are one here'));
  return rows;
}

function lost(topic: string, text: string): DoctorRow {
  return { topic, state: 'lost', text };
}
