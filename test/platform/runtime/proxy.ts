/** A TCP proxy on loopback whose connections can be ended, as those of a service end while its callers are frozen. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export type Ending = 'closed' | 'reset'

export interface TcpProxy {
  readonly port: number
  /** Ends every connection. Returns their number. */
  readonly end: (ending: Ending) => number
  readonly close: () => Promise<void>
}

export async function startProxy(targetPort: number): Promise<TcpProxy> {
  const sockets = new Map<Socket, Socket>()
  const server = createServer({ noDelay: true }, (socket) => {
    const target = connect({ port: targetPort, host: '127.0.0.1', noDelay: true })
    sockets.set(socket, target)
    const end = () => {
      sockets.delete(socket)
      socket.destroy()
      target.destroy()
    }
    for (const one of [socket, target]) one.on('error', end).on('close', end)
    socket.pipe(target).pipe(socket)
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve))
  const end = (ending: Ending) => {
    const open = [...sockets]
    for (const [socket, target] of open) {
      sockets.delete(socket)
      // No half-closed connections: bytes that arrive afterwards cause a reset, as with a server's kernel.
      if (ending === 'closed') socket.destroy()
      else socket.resetAndDestroy()
      target.destroy()
    }
    return open.length
  }
  return {
    port: (server.address() as AddressInfo).port,
    end,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        end('closed')
      }),
  }
}
