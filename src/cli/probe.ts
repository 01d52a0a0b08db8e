import { lookup } from 'node:dns/promises'
import net from 'node:net'
import tls from 'node:tls'
import type { BaseUrl } from '../config/index.ts'
import { withoutBrackets } from '../transport/index.ts'

/** Result or error of a step, with its duration. */
export type Measured<T> =
  | { readonly ok: true; readonly value: T; readonly durationMs: number }
  | { readonly ok: false; readonly error: unknown; readonly durationMs: number }

/** Information about a connection. */
export interface Connection {
  /** For example `TLSv1.3`. Null for plain http. */
  readonly protocol: string | null
  /** Expiration of the host's certificate. Undefined for plain http. */
  readonly certificateEnd: Date | undefined
}

/** Timeout of a step in milliseconds. False: none. */
export type Bound = number | false

/** Runs a step and measures its duration. Never rejects. */
export async function measure<T>(timeout: Bound, step: () => Promise<T>): Promise<Measured<T>> {
  const startedAt = performance.now()
  const durationMs = () => performance.now() - startedAt
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    if (timeout === false) return
    timer = setTimeout(() => {
      reject(Object.assign(new Error(`no result within ${timeout} ms`), { code: 'ETIMEDOUT' }))
    }, timeout)
  })
  try {
    return { ok: true, value: await Promise.race([step(), late]), durationMs: durationMs() }
  } catch (error) {
    return { ok: false, error, durationMs: durationMs() }
  } finally {
    clearTimeout(timer)
  }
}

/** Resolves the addresses of a host. */
export async function findAddresses({ hostname }: BaseUrl): Promise<readonly string[]> {
  const found = await lookup(withoutBrackets(hostname), { all: true })
  return found.map(({ address }) => address)
}

/** Connects like a call, then closes the connection. The certificate must be valid for `host`, or for the URL's host. */
export function connect(base: BaseUrl, host: string | undefined, timeout: Bound): Promise<Connection> {
  const { protocol, port } = new URL(base.origin)
  const isTls = protocol === 'https:'
  const address = {
    host: withoutBrackets(base.hostname),
    port: Number(port || (isTls ? 443 : 80)),
    ...(timeout !== false && { timeout }),
  }
  return new Promise((resolve, reject) => {
    const socket = isTls
      ? tls.connect({ ...address, servername: serverName(host ?? base.hostname) })
      : net.connect(address)
    socket
      .once(isTls ? 'secureConnect' : 'connect', () => {
        resolve(socket instanceof tls.TLSSocket ? describeTls(socket) : { protocol: null, certificateEnd: undefined })
        socket.destroy()
      })
      .once('timeout', () => socket.destroy(Object.assign(new Error('no connection in time'), { code: 'ETIMEDOUT' })))
      .once('error', reject)
  })
}

/** The TLS server name of a host. An IP address is none (RFC 6066, section 3). */
function serverName(host: string): string {
  const name = withoutBrackets(host.replace(/:\d+$/, ''))
  return net.isIP(name) === 0 ? name : ''
}

function describeTls(socket: tls.TLSSocket): Connection {
  return {
    protocol: socket.getProtocol(),
    certificateEnd: new Date(socket.getPeerCertificate().valid_to),
  }
}
