/** Told of a rejection, and whether anybody listens by the time that it is asked. */
export type OnRejected = (reason: unknown, isAwaited: () => boolean) => void

/**
 * A promise that knows whether anybody listens. A subclass, because `await` goes past the `then` of a plain one. What
 * `then` and its kin make of it knows it as well, so that a call's failure that nobody hears of ends no process, however
 * it was passed on.
 */
export class CallPromise<T> extends Promise<T> {
  #isAwaited = false
  #onRejected: OnRejected | undefined

  static create<T>(
    settle: (resolve: (value: T) => void, reject: (reason: unknown) => void) => void,
    onRejected: OnRejected,
  ): CallPromise<T> {
    const own = new CallPromise<T>(settle)
    own.#watch(onRejected)
    return own
  }

  get isAwaited(): boolean {
    return this.#isAwaited
  }

  /** Somebody hears of it in another way. */
  markAwaited(): void {
    this.#isAwaited = true
  }

  // biome-ignore lint/suspicious/noThenProperty: it is a promise
  override then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#isAwaited = true
    const derived = super.then(onFulfilled, onRejected) as CallPromise<A | B>
    if (this.#onRejected !== undefined) derived.#watch(this.#onRejected)
    return derived
  }

  #watch(onRejected: OnRejected): void {
    this.#onRejected = onRejected
    super.then(undefined, (reason) => onRejected(reason, () => this.#isAwaited))
  }
}
