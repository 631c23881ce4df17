import { Counter, Gauge, type Registry } from 'prom-client'

/** Of the sockets of chat. */
export function realtimeMetrics(registers: Registry[]) {
  return {
    sockets: new Gauge({
      name: 'wakeline_sockets',
      help: 'Open WebSockets.',
      registers,
    }),
    socketsClosed: new Counter({
      name: 'wakeline_sockets_closed_total',
      help: 'WebSockets that were closed, by the code of who closed them.',
      labelNames: ['code'],
      registers,
    }),
    framesReceived: new Counter({
      name: 'wakeline_socket_frames_received_total',
      help: 'Frames of clients by type.',
      labelNames: ['type'],
      registers,
    }),
    framesSent: new Counter({
      name: 'wakeline_socket_frames_sent_total',
      help: 'Frames to clients by type.',
      labelNames: ['type'],
      registers,
    }),
    eventsSent: new Counter({
      name: 'wakeline_socket_events_sent_total',
      help: 'Events of chat that were sent over WebSockets.',
      registers,
    }),
    catchUpReads: new Counter({
      name: 'wakeline_socket_event_reads_total',
      help: 'Looks at the database for events to send over WebSockets.',
      registers,
    }),
  }
}
