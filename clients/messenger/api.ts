import { type Answer, Http } from './http.ts'
import { type Fields, isFields, listIn, textAt } from './json.ts'
import {
  type Conversation,
  conversationFrom,
  type Draft,
  fieldsOf,
  type Me,
  type Message,
  meFrom,
  messageFrom,
  type SyncPage,
} from './types.ts'

/** The paths of the service, and nothing cleverer than them. */
export class Api {
  readonly http: Http

  constructor(base: string) {
    this.http = new Http(base)
  }

  register(username: string, password: string): Promise<Answer> {
    return this.http.ask({ method: 'POST', path: '/auth/register', body: { username, password } })
  }

  async login(username: string, password: string): Promise<void> {
    const answer = await this.http.ask({ method: 'POST', path: '/auth/login', body: { username, password } })
    this.http.token = textAt(fieldsOf(answer.body, 'a login'), 'token')
  }

  async me(): Promise<Me> {
    return meFrom((await this.http.ask({ method: 'GET', path: '/me' })).body)
  }

  async conversations(): Promise<Conversation[]> {
    const { body } = await this.http.ask({ method: 'GET', path: '/conversations', query: { limit: '100' } })
    return listIn(body, 'conversations').map(conversationFrom)
  }

  async open(body: Fields): Promise<Conversation> {
    const answer = await this.http.ask({ method: 'POST', path: '/conversations', body })
    const within = isFields(answer.body) ? answer.body.conversation : undefined
    return conversationFrom(within ?? answer.body)
  }

  async messages(conversationId: string, limit: number, beforeCreatedAt?: string): Promise<Message[]> {
    const query = { conversationId, limit: String(limit), ...(beforeCreatedAt && { beforeCreatedAt }) }
    const { body } = await this.http.ask({ method: 'GET', path: '/messages', query })
    return listIn(body, 'messages').map(messageFrom)
  }

  async send(draft: Draft): Promise<Message> {
    const answer = await this.http.ask({ method: 'POST', path: '/messages', body: { ...draft } })
    const within = isFields(answer.body) ? answer.body.message : undefined
    return messageFrom(within ?? answer.body)
  }

  async sync(since: string): Promise<SyncPage> {
    const answer = await this.http.ask({ method: 'GET', path: '/sync/messages', query: { since } })
    const page = fieldsOf(answer.body, 'a page of a sync')
    const more = page.more ?? page.hasMore
    return {
      messages: listIn(page, 'messages').map(messageFrom),
      nextCursor: textAt(page, 'nextCursor'),
      more: typeof more === 'boolean' ? more : null,
      reset: page.reset === true,
    }
  }

  registerDevice(body: Fields): Promise<Answer> {
    return this.http.ask({ method: 'POST', path: '/devices/register', body })
  }
}
