/**
 * How ssh packets leave: gathered, and in memory that is used again and again.
 *
 * A packet is up to three writes to the socket: what one turn of the event loop produces leaves as one. And ssh2 makes a new buffer for each packet, some thirty-five thousand a gigabyte. The garbage collector sees megabytes
 * come by outside its heap and answers with a full collection every few hundred packets: on a fast link that cost more
 * than encrypting them. So packets are made in slabs, and a slab is used again once the socket has taken all of it.
 */
import { randomFillSync } from 'node:crypto';
import type { Writable } from 'node:stream';
import type { Client } from 'ssh2';
import { copyBytes } from '../../platform/copy-bytes.ts';

/** Sees to all packets that `client` sends through `socket` from now on, also after keys are exchanged anew. */
export function improvePackets(client: Client, socket: Writable): void {
  const packets = new Packets(socket);
  const protocol = (client as unknown as ClientInternals)._protocol;
  if (protocol?._cipher === undefined) return;
  const adopt = () => packets.adopt(protocol._cipher);
  adopt();
  copyFast(protocol);
  client.on('handshake', adopt);
}

/** What ssh2 keeps to itself: its way from a payload to bytes on the socket. Without it packets are made as ever. */
interface ClientInternals {
  readonly _protocol?: Protocol;
}

interface Protocol {
  readonly _cipher: OutgoingCipher;
  /** Set while keys are exchanged: payloads then wait in a queue. */
  readonly _kexinit?: unknown;
  channelData(channel: number, data: Buffer): void;
}

/** `allocPacket` makes a packet with everything but its payload, `encrypt` hands it to `_onWrite`, in parts or in place. */
interface OutgoingCipher {
  allocPacket(payloadBytes: number): Buffer;
  encrypt(packet: Buffer): void;
  _onWrite(bytes: Uint8Array): void;
}

/** Two classes of ssh2, on node:crypto or an addon of its own. Other ciphers pad by other rules and make their packets. */
function isGcm(cipher: OutgoingCipher): boolean {
  return cipher.constructor.name.startsWith('AESGCMCipher');
}

/** A packet (RFC 4253, 5647): u32 length of what follows but the tag, u8 padding length, payload, padding, tag. */
const LENGTH_BYTES = 4;
const HEAD_BYTES = LENGTH_BYTES + 1;
const BLOCK_BYTES = 16;
const MIN_PADDING_BYTES = 4;

/** SSH_MSG_CHANNEL_DATA (RFC 4254): its number, u32 channel, u32 length, data. */
const CHANNEL_DATA = 94;
const DATA_HEAD_BYTES = 9;

/** The data of channels, most of it in memory that threads share, is copied into its packets by ourselves. */
function copyFast(protocol: Protocol): void {
  const channelData = protocol.channelData.bind(protocol);
  protocol.channelData = (channel, data) => {
    if (protocol._kexinit !== undefined) return channelData(channel, data);
    const packet = protocol._cipher.allocPacket(DATA_HEAD_BYTES + data.length);
    packet[HEAD_BYTES] = CHANNEL_DATA;
    packet.writeUInt32BE(channel, HEAD_BYTES + 1);
    packet.writeUInt32BE(data.length, HEAD_BYTES + 5);
    copyBytes(data, packet, HEAD_BYTES + DATA_HEAD_BYTES);
    protocol._cipher.encrypt(packet);
  };
}

/** Room for eight packets of the usual largest size. */
const SLAB_BYTES = 288 * 1024;
/** As many as lie between us and a slow socket; more are not kept. */
const MAX_SPARE_SLABS = 8;
/** Larger packets, which no server in use asks for, get memory of their own. */
const MAX_PACKET_BYTES = SLAB_BYTES / 4;

interface Slab {
  readonly bytes: Buffer;
  filled: number;
  /** Packets being made or written. */
  uses: number;
}

class Packets {
  readonly #socket: Writable;
  readonly #padding = new Padding();
  readonly #slabs = new WeakMap<ArrayBufferLike, Slab>();
  readonly #spares: Slab[] = [];
  #current: Slab;
  #isGathering = false;

  constructor(socket: Writable) {
    this.#socket = socket;
    this.#current = this.#emptySlab();
  }

  /** Makes `cipher` send its packets through here and, where it can, take their memory from here. */
  adopt(cipher: OutgoingCipher): void {
    cipher._onWrite = (bytes) => this.#write(bytes);
    if (!isGcm(cipher)) return;
    const sample = cipher.allocPacket(0);
    const tagBytes = sample.length - LENGTH_BYTES - sample.readUInt32BE(0);
    const encrypt = cipher.encrypt.bind(cipher);
    cipher.allocPacket = (payloadBytes) => this.#makePacket(payloadBytes, tagBytes);
    cipher.encrypt = (packet) => {
      encrypt(packet);
      this.#release(this.#slabs.get(packet.buffer));
    };
  }

  #makePacket(payloadBytes: number, tagBytes: number): Buffer {
    let paddingBytes = BLOCK_BYTES - ((1 + payloadBytes) % BLOCK_BYTES);
    if (paddingBytes < MIN_PADDING_BYTES) paddingBytes += BLOCK_BYTES;
    const plainBytes = HEAD_BYTES + payloadBytes + paddingBytes;
    const packet = this.#take(plainBytes + tagBytes);
    packet.writeUInt32BE(plainBytes - LENGTH_BYTES, 0);
    packet[LENGTH_BYTES] = paddingBytes;
    this.#padding.fill(packet, HEAD_BYTES + payloadBytes, paddingBytes);
    return packet;
  }

  #take(length: number): Buffer {
    if (length > MAX_PACKET_BYTES) return Buffer.allocUnsafe(length);
    if (this.#current.filled + length > SLAB_BYTES) {
      const full = this.#current;
      this.#current = this.#emptySlab();
      if (full.uses === 0) this.#keep(full);
    }
    const slab = this.#current;
    slab.uses++;
    const start = slab.filled;
    slab.filled += length;
    return slab.bytes.subarray(start, slab.filled);
  }

  #write(bytes: Uint8Array): void {
    if (!this.#socket.writable) return;
    this.#gather();
    const slab = this.#slabs.get(bytes.buffer);
    if (slab !== undefined) slab.uses++;
    this.#socket.write(bytes, (error) => {
      if (error === null || error === undefined) this.#release(slab);
    });
  }

  #gather(): void {
    if (this.#isGathering) return;
    this.#isGathering = true;
    this.#socket.cork();
    setImmediate(() => {
      this.#isGathering = false;
      this.#socket.uncork();
    });
  }

  /** A slab of which packets were never sent is never used again: it goes with the last of them. */
  #release(slab: Slab | undefined): void {
    if (slab === undefined || --slab.uses > 0) return;
    if (slab === this.#current) slab.filled = 0;
    else this.#keep(slab);
  }

  #keep(slab: Slab): void {
    if (this.#spares.length < MAX_SPARE_SLABS) this.#spares.push(slab);
  }

  #emptySlab(): Slab {
    const spare = this.#spares.pop();
    if (spare !== undefined) return Object.assign(spare, { filled: 0 });
    const slab = { bytes: Buffer.allocUnsafeSlow(SLAB_BYTES), filled: 0, uses: 0 };
    this.#slabs.set(slab.bytes.buffer, slab);
    return slab;
  }
}

const PADDING_POOL_BYTES = 16 * 1024;

/** Random bytes by the pool: a call of the generator for each packet costs as much as encrypting it. */
class Padding {
  readonly #pool = Buffer.allocUnsafe(PADDING_POOL_BYTES);
  #used = PADDING_POOL_BYTES;

  fill(packet: Buffer, at: number, length: number): void {
    if (this.#used + length > PADDING_POOL_BYTES) {
      randomFillSync(this.#pool);
      this.#used = 0;
    }
    this.#pool.copy(packet, at, this.#used, this.#used + length);
    this.#used += length;
  }
}
