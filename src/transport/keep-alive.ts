import { nextTurn } from './node.ts'

/** Gives what the built-in `fetch` is about to send a connection that may have been idle for long; false where it is not it that sends. */
export type KeepConnection = (init: RequestInit, origin: string) => boolean

type BuiltInAgent = NonNullable<RequestInit['dispatcher']>
type AgentClass = new (options?: object | null) => BuiltInAgent

/** What undici sends by, of whichever version: an agent, a pool, or a connection of theirs. */
export interface Agent {
  readonly destroyed?: boolean
  dispatch(...request: never[]): boolean
  close(): Promise<void>
  on(event: 'connect', listener: (origin: URL, targets: readonly Agent[]) => void): unknown
  on(event: 'disconnect', listener: (origin: URL, targets: readonly Agent[]) => void): unknown
}

/** How long an agent may keep an idle connection. */
interface KeepAlive {
  readonly keepAliveTimeout: number
  readonly keepAliveMaxTimeout: number
}

/** The connections to one origin. */
interface Pool<A extends Agent> {
  readonly agent: A
  /** When each open connection was last given a request. */
  readonly usedAt: ReadonlyMap<Agent, number>
  /** When somebody was last given the agent. */
  givenAt: number
}

/** Milliseconds that a connection may be idle: far less than gateways, and what lies between, allow. */
const IDLE_MS = 30_000

/** What the agent may count: somewhat less, so that a process that runs loses idle connections one by one. */
const KEEP_ALIVE_MS = 28_000

/** Both are written by whoever replaces the dispatcher; which one the built-in `fetch` reads depends on its version. */
const FIRST = Symbol.for('undici.globalDispatcher.1')
const SECOND = Symbol.for('undici.globalDispatcher.2')

const BUILT_IN = 'internal/deps/undici/undici'

/** What `fetch` sends with, unless somebody has replaced it. */
interface Globals {
  readonly fetch: unknown
  readonly [FIRST]?: unknown
  readonly [SECOND]?: unknown
}

/**
 * The built-in `fetch` closes a connection that was idle for 4 seconds, so that a function invoked every few seconds
 * shakes hands for each call. Its agent can wait longer; a longer-waiting one is made of its class, one an origin. Where
 * `fetch` or its agent is not the built-in one, as with mocks, proxies and tracers, or the caller brings a `dispatcher`,
 * everything stays as it is.
 *
 * `now` tells milliseconds since the epoch: other clocks may stand still in a freeze.
 */
export function createKeepConnection(now: () => number = () => Date.now()): KeepConnection {
  const findAgent = createAgents<BuiltInAgent>(now)
  const findAgentClass = createAgentFinder()
  return (init, origin) => {
    const AgentClass = init.dispatcher ? undefined : findAgentClass()
    if (AgentClass === undefined) return false
    init.dispatcher = findAgent(origin, (options) => new AgentClass(options))
    return true
  }
}

/** Shared by all clients of the process, as connections are. */
export const keepConnection: KeepConnection = createKeepConnection()

/**
 * An agent for each origin, whose connections may be idle for as long as gateways allow.
 *
 * The agent counts the time in which the process runs. A freeze may end a connection without a word, so the time on the
 * clock decides here: connections of which one was idle for longer are left for new ones. What the process was told of
 * their end, it has read before it sends: see `createCatchUp`.
 */
export function createAgents<A extends Agent>(
  now: () => number,
): (origin: string, create: (options: KeepAlive) => A) => A {
  const pools = new Map<string, Pool<A>>()
  return (origin, create) => {
    const time = now()
    let pool = pools.get(origin)
    if (pool === undefined || isSpent(pool, time)) {
      // Rarely here, so that this is the time to forget origins that nobody calls any more.
      for (const [name, { agent, givenAt }] of pools) {
        if (name !== origin && !isLongAgo(givenAt, time)) continue
        pools.delete(name)
        close(agent).catch(() => {})
      }
      pool = createPool(create, now)
      pools.set(origin, pool)
    }
    pool.givenAt = time
    return pool.agent
  }
}

function createPool<A extends Agent>(create: (options: KeepAlive) => A, now: () => number): Pool<A> {
  const agent = create({ keepAliveTimeout: KEEP_ALIVE_MS, keepAliveMaxTimeout: KEEP_ALIVE_MS })
  const usedAt = new Map<Agent, number>()
  // The last one is the connection itself. The agent takes whichever is free; only this one knows that it was taken.
  const connectionIn = (targets: readonly Agent[]) => targets.at(-1) as Agent
  agent.on('connect', (_origin, targets) => {
    const connection = connectionIn(targets)
    usedAt.set(connection, now())
    // It may have been connected before.
    if (Object.hasOwn(connection, 'dispatch')) return
    const { dispatch } = connection
    connection.dispatch = (...request) => {
      usedAt.set(connection, now())
      return dispatch.apply(connection, request)
    }
  })
  agent.on('disconnect', (_origin, targets) => {
    usedAt.delete(connectionIn(targets))
  })
  return { agent, usedAt, givenAt: now() }
}

function isSpent({ agent, usedAt }: Pool<Agent>, time: number): boolean {
  for (const then of usedAt.values()) {
    if (isLongAgo(then, time)) return true
  }
  return agent.destroyed === true
}

/** A clock that was set back tells nothing about what was before. */
function isLongAgo(then: number, time: number): boolean {
  return Math.abs(time - then) > IDLE_MS
}

/** Lets requests on their way finish; those of this turn have yet to reach the agent. */
async function close(agent: Agent): Promise<void> {
  await nextTurn()
  await agent.close()
}

/** Finds the class anew whenever somebody has replaced `fetch` or its dispatcher, or put them back. */
function createAgentFinder(): () => AgentClass | undefined {
  const globals: Globals = globalThis
  let fetch: unknown
  let first: unknown
  let second: unknown
  let found: AgentClass | undefined
  return () => {
    if (fetch !== globals.fetch || first !== globals[FIRST] || second !== globals[SECOND]) {
      fetch = globals.fetch
      first = globals[FIRST]
      second = globals[SECOND]
      found = findBuiltIn(fetch, first, second)
    }
    return found
  }
}

/** The class of the agent that the built-in `fetch` made for itself; undefined where anything is not as Node left it. */
function findBuiltIn(fetch: unknown, first: unknown, second: unknown): AgentClass | undefined {
  try {
    const agent = (second ?? first) as BuiltInAgent
    const AgentClass = agent.constructor as AgentClass
    const isOurs =
      String(fetch).includes(BUILT_IN) &&
      // Node 26 has a wrapper there, for earlier versions of undici.
      (first === agent || (first as object).constructor.name === 'Dispatcher1Wrapper') &&
      AgentClass.name === 'Agent' &&
      Object.getPrototypeOf(AgentClass).name === 'DispatcherBase' &&
      isFromNode(AgentClass) &&
      isAsMade(agent, new AgentClass())
    if (isOurs) return AgentClass
  } catch {
    // Nothing there is as Node makes it.
  }
  return undefined
}

/** The undici of npm has the same class: what tells them apart is the file that an error comes from. */
function isFromNode(AgentClass: AgentClass): boolean {
  const { prepareStackTrace } = Error
  try {
    // The name alone: a whole stack takes a millisecond to write.
    // Stryker disable next-line OptionalChaining: where there is no site, nothing comes of an error either.
    Error.prepareStackTrace = (_error, [site]) => site?.getFileName()
    new AgentClass({ factory: null })
    return false
  } catch (error) {
    return (error as Error).stack === `node:${BUILT_IN}`
  } finally {
    Error.prepareStackTrace = prepareStackTrace
  }
}

/** That nobody has given the agent a way to connect, an interceptor or anything else that a new one would not have. */
function isAsMade(agent: BuiltInAgent, made: BuiltInAgent): boolean {
  const options = Object.entries(read(agent, 'options') as object)
  const expected = read(made, 'options') as Record<string, unknown>
  return (
    options.every(([name, value]) => value === expected[name]) &&
    read(agent, 'factory') === read(made, 'factory') &&
    agent.dispatch === made.dispatch
  )
}

function read(agent: BuiltInAgent, description: string): unknown {
  const key = Object.getOwnPropertySymbols(agent).find((symbol) => symbol.description === description) as symbol
  return Reflect.get(agent, key)
}
