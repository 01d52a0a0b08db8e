/**
 * A promise that knows whether anybody listens. It rejects unheard without ending the process; promises that its listeners
 * derive from it are ordinary ones. A subclass, because `await` does not call the `then` of a plain promise.
 */
export class CallPromise<T> extends Promise<T> {
  isHeard = false

  static override get [Symbol.species](): PromiseConstructor {
    return Promise
  }

  constructor(executor: ConstructorParameters<typeof Promise<T>>[0]) {
    super(executor)
    super.then(undefined, () => {})
  }

  // biome-ignore lint/suspicious/noThenProperty: it is a promise
  override then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.isHeard = true
    return super.then(onFulfilled, onRejected)
  }
}
