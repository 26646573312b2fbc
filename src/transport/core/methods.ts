/** The methods of an agent and the bounds of their messages. */
import {
  MAX_CONTENT_MESSAGE_BYTES,
  MAX_CONTROL_MESSAGE_BYTES,
  MAX_LIST_MESSAGE_BYTES,
  MAX_SIGNATURE_MESSAGE_BYTES,
} from './limits.ts';
import type { MethodSpec } from './method.ts';

export type MethodName =
  | 'open'
  | 'bind'
  | 'checkpoint'
  | 'changes'
  | 'lookup'
  | 'subtree'
  | 'digest'
  | 'reuse'
  | 'signatures'
  | 'supply'
  | 'apply'
  | 'acknowledge'
  | 'close';

const CONTROL: MethodSpec = {
  maxRequestBytes: MAX_CONTROL_MESSAGE_BYTES,
  maxAnswerBytes: MAX_CONTROL_MESSAGE_BYTES,
  isBulkRequest: false,
  isBulkAnswer: false,
};

const LISTS: MethodSpec = {
  maxRequestBytes: MAX_LIST_MESSAGE_BYTES,
  maxAnswerBytes: MAX_LIST_MESSAGE_BYTES,
  isBulkRequest: true,
  isBulkAnswer: true,
};

/** Every method of protocol 1. */
export const METHODS: ReadonlyMap<MethodName, MethodSpec> = new Map<MethodName, MethodSpec>([
  ['open', CONTROL],
  ['bind', CONTROL],
  ['checkpoint', CONTROL],
  ['changes', LISTS],
  ['lookup', LISTS],
  ['subtree', LISTS],
  ['digest', LISTS],
  ['reuse', LISTS],
  // Signatures are hashes: they do not compress.
  ['signatures', { ...LISTS, maxAnswerBytes: MAX_SIGNATURE_MESSAGE_BYTES, isBulkAnswer: false }],
  [
    'supply',
    {
      maxRequestBytes: MAX_SIGNATURE_MESSAGE_BYTES,
      maxAnswerBytes: MAX_CONTENT_MESSAGE_BYTES,
      isBulkRequest: false,
      isBulkAnswer: true,
    },
  ],
  ['apply', { ...LISTS, maxRequestBytes: MAX_CONTENT_MESSAGE_BYTES }],
  ['acknowledge', CONTROL],
  ['close', CONTROL],
]);
