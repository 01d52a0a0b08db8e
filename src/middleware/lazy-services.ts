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
  return LazyServices.add(given, owner, source)
}

/** Its members are private to whoever inspects the object that it stands behind. */
class LazyServices implements ProxyHandler<Services> {
  readonly #owner: object
  readonly #given: object | undefined
  readonly #sources: ClientSource[]
  /** What was put on the target from here. */
  readonly #made = new Map<string | symbol, unknown>()
  readonly #target: Services

  private constructor(owner: object, source: ClientSource, given: object | undefined) {
    this.#owner = owner
    this.#sources = [source]
    this.#given = given
    this.#target = Object.create(given ?? Object.prototype)
  }

  static add(given: object | undefined, owner: object, source: ClientSource): object {
    let base = given
    const additions: PropertyDescriptorMap[] = []
    for (let behind = LazyServices.#of(base); behind !== undefined; behind = LazyServices.#of(base)) {
      if (behind.#owner === owner) {
        if (!Object.isExtensible(base)) break
        behind.#sources.push(source)
        return base as object
      }
      // A context may be used again, as tests do: these clients are of the past, what others have put there is not.
      additions.unshift(behind.#readAdditions())
      base = behind.#given
    }
    const own = new LazyServices(owner, source, base)
    for (const one of additions) Object.defineProperties(own.#target, one)
    return new Proxy(own.#target, own)
  }

  static #of(services: object | undefined): LazyServices | undefined {
    const behind: unknown = services && Reflect.get(services, BEHIND)
    return behind instanceof LazyServices ? behind : undefined
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
    const names = new Set<string | symbol>(this.#given && Reflect.ownKeys(this.#given))
    for (const source of this.#sources) for (const name of source.services.keys()) names.add(name)
    for (const name of Reflect.ownKeys(target)) names.add(name)
    return [...names]
  }

  getOwnPropertyDescriptor(target: Services, name: string | symbol): PropertyDescriptor | undefined {
    this.#make(target, name)
    return Reflect.getOwnPropertyDescriptor(target, name)
  }

  defineProperty(target: Services, name: string | symbol, descriptor: PropertyDescriptor): boolean {
    // Such a descriptor may say only what changes.
    this.#make(target, name)
    return Reflect.defineProperty(target, name, descriptor)
  }

  /** As `Object.freeze` asks for, after which nothing can be put on the target any more. */
  preventExtensions(target: Services): boolean {
    for (const name of this.ownKeys(target)) this.#make(target, name)
    return Reflect.preventExtensions(target)
  }

  #find(name: string | symbol): ClientSource | undefined {
    return this.#sources.find((source) => source.services.has(name as string))
  }

  /** Puts on the target what belongs there by that name. */
  #make(target: Services, name: string | symbol): void {
    if (Object.hasOwn(target, name)) return
    const own = this.#given && Reflect.getOwnPropertyDescriptor(this.#given, name)
    const source = this.#find(name)
    if (own === undefined && source === undefined) return
    // Read of what was given itself, whose getters keep their own `this`.
    const found: unknown = this.#given && Reflect.get(this.#given, name)
    const value = own === undefined ? (found ?? (source as ClientSource).create(name as string)) : found
    this.#made.set(name, value)
    Object.defineProperty(target, name, {
      value,
      writable: true,
      enumerable: own?.enumerable ?? true,
      configurable: true,
    })
  }

  #readAdditions(): PropertyDescriptorMap {
    const additions = Object.getOwnPropertyDescriptors(this.#target)
    for (const [name, value] of this.#made)
      if (additions[name as string]?.value === value) delete additions[name as string]
    return additions
  }
}
