/** Where the clients of one invocation come from. */
export interface ClientSource {
  readonly services: ReadonlyMap<string, unknown>
  /** Called once a name, when somebody first touches it. */
  readonly create: (name: string) => object
}

type Services = Record<string | symbol, unknown>

/** Leads from an object of services to what is behind it. */
const BEHIND = Symbol('behind')

/**
 * An object of services, made for `owner`, that an invocation pays for by the clients that it touches, however many there
 * are. What `given` has, inherits or makes up when it is asked, mocks for instance, is kept. It is added to where it was
 * made for the same owner, else left as it is: mocks that several owners share carry nothing from one to another.
 */
export function addServices(given: object | undefined, owner: object, source: ClientSource): object {
  let base = given
  for (let behind = behindOf(base); behind !== undefined; behind = behindOf(base)) {
    if (behind.owner === owner) {
      behind.sources.push(source)
      return base as object
    }
    // A context may be used again, as tests do: these clients are of the past.
    base = behind.base
  }
  return new Proxy(Object.create(base ?? Object.prototype), new LazyServices(owner, source, base))
}

function behindOf(services: object | undefined): LazyServices | undefined {
  const behind: unknown = services && Reflect.get(services, BEHIND)
  return behind instanceof LazyServices ? behind : undefined
}

class LazyServices implements ProxyHandler<Services> {
  readonly owner: object
  readonly base: object | undefined
  readonly sources: ClientSource[]

  constructor(owner: object, source: ClientSource, base: object | undefined) {
    this.owner = owner
    this.sources = [source]
    this.base = base
  }

  get(target: Services, name: string | symbol, receiver: unknown): unknown {
    if (name === BEHIND) return this
    if (this.#find(name) !== undefined) this.#make(target, name)
    return Reflect.get(target, name, receiver)
  }

  has(target: Services, name: string | symbol): boolean {
    return this.#find(name) !== undefined || Reflect.has(target, name)
  }

  ownKeys(target: Services): (string | symbol)[] {
    const names = new Set<string | symbol>(this.base && Reflect.ownKeys(this.base))
    for (const source of this.sources) for (const name of source.services.keys()) names.add(name)
    for (const name of Reflect.ownKeys(target)) names.add(name)
    return [...names]
  }

  getOwnPropertyDescriptor(target: Services, name: string | symbol): PropertyDescriptor | undefined {
    this.#make(target, name)
    return Reflect.getOwnPropertyDescriptor(target, name)
  }

  #find(name: string | symbol): ClientSource | undefined {
    return typeof name === 'string' ? this.sources.find((source) => source.services.has(name)) : undefined
  }

  /** Puts on the target what belongs there by that name. */
  #make(target: Services, name: string | symbol): void {
    if (Object.hasOwn(target, name)) return
    const { base } = this
    const own = base && Reflect.getOwnPropertyDescriptor(base, name)
    const source = this.#find(name)
    if (own === undefined && source === undefined) return
    // Read of the base itself, whose getters keep their own `this`.
    const value = (base && Reflect.get(base, name)) ?? source?.create(name as string)
    Object.defineProperty(target, name, {
      value,
      writable: true,
      enumerable: own?.enumerable ?? true,
      configurable: true,
    })
  }
}
