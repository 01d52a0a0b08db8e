import http from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'

/** Milliseconds that a connection may be idle: less than API Gateway and what lies between allow. */
const IDLE_MS = 30_000

/**
 * Connections to one origin at a time. Every TLS handshake costs about 1 ms of CPU, and of 1,000 calls at once fewest were
 * slow between 100 and 250 connections. Lambda allows 1,024 file descriptors.
 */
const DEFAULT_MAX_CONNECTIONS = 128

/** Keeps connections open between requests, and gives the agent to send a request with. */
export class KeepAlive {
  readonly #now: () => number
  readonly #idleSince = new WeakMap<Socket, number>()
  readonly #agents = new Map<string, http.Agent>()

  /** `now` gives milliseconds since the epoch: monotonic clocks may stand still while a Lambda environment is frozen. */
  constructor(now: () => number = Date.now) {
    this.#now = now
  }

  /** The agent for a protocol, `http:` or `https:`, without the connections that were idle for too long. */
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
    // The agent's own timer closes a connection that was idle while the process ran.
    const agent = new Agent({ keepAlive: true, maxSockets, timeout: IDLE_MS, scheduling: 'lifo' })
    const keep = agent.keepSocketAlive
    agent.keepSocketAlive = (socket) => {
      this.#idleSince.set(socket as Socket, this.#now())
      return keep.call(agent, socket)
    }
    return agent
  }

  /**
   * Destroys what was idle for as long as the agent would keep it, or the service by its `keep-alive` header. Time spent
   * frozen counts, which no timer sees. A clock that was set back says nothing about the time before.
   *
   * Older connections go with a newer one: the agent takes the newest, and skips destroyed ones only before the others.
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
