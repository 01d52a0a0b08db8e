import http from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'

/** Longest idle time of a connection, in milliseconds: less than that of API Gateway and of network devices. */
const IDLE_MS = 30_000

/**
 * Limit of connections to one origin. A TLS handshake costs about 1 ms of CPU. Of 1,000 parallel calls, the fewest were
 * slow with 100 to 250 connections. Lambda allows 1,024 file descriptors.
 */
const DEFAULT_MAX_CONNECTIONS = 128

/** Provides agents that reuse connections between requests. */
export class KeepAlive {
  readonly #now: () => number
  readonly #idleSince = new WeakMap<Socket, number>()
  readonly #agents = new Map<string, http.Agent>()

  /**
   * `now` returns milliseconds since the epoch: monotonic clocks may stop while the execution environment is frozen.
   */
  constructor(now: () => number = Date.now) {
    this.#now = now
  }

  /**
   * Returns the agent for a protocol, `http:` or `https:`, after it has destroyed connections that were idle too long.
   */
  agentFor(protocol: string, maxConnections: number = DEFAULT_MAX_CONNECTIONS): http.Agent {
    const key = `${protocol}${maxConnections}`
    let agent = this.#agents.get(key)
    if (agent === undefined) {
      agent = this.#createAgent(protocol === 'https:' ? https.Agent : http.Agent, maxConnections)
      this.#agents.set(key, agent)
    }
    this.#destroyExpired(agent)
    return agent
  }

  #createAgent(Agent: typeof http.Agent | typeof https.Agent, maxSockets: number): http.Agent {
    // The agent's timer closes connections that are idle while the process runs.
    const agent = new Agent({ keepAlive: true, maxSockets, timeout: IDLE_MS })
    const keep = agent.keepSocketAlive
    agent.keepSocketAlive = (socket) => {
      this.#idleSince.set(socket as Socket, this.#now())
      return keep.call(agent, socket)
    }
    return agent
  }

  /**
   * Destroys connections that were idle longer than the agent's limit, or than the limit in the service's `keep-alive`
   * header. Frozen time counts, although timers do not see it. The absolute difference counts, because the clock may be
   * set back.
   *
   * All connections older than an expired one are destroyed as well: the agent takes the newest connection, and removes
   * destroyed ones only from the oldest end of its list.
   */
  #destroyExpired(agent: http.Agent): void {
    const now = this.#now()
    for (const sockets of Object.values(agent.freeSockets) as Socket[][]) {
      const last = sockets.findLastIndex((socket) => {
        const idleMs = Math.abs(now - (this.#idleSince.get(socket) as number))
        return socket.destroyed || idleMs >= (socket.timeout as number)
      })
      for (const socket of sockets.slice(0, last + 1)) socket.destroy()
    }
  }
}
