import { type ComponentChildren, createContext, type JSX } from "preact";
import { useContext, useMemo, useState } from "preact/hooks";
import { type Client, createClient } from "./api/client.js";

/** The name under which the browser keeps the key until its tab closes. */
const KEY = "assay.key";

interface Session {
  readonly client: Client;
  readonly hasKey: boolean;
  /** Keeps a key for this tab; an empty one forgets it. */
  setKey(key: string): void;
}

const SessionContext = createContext<Session | null>(null);

/** Gives the components below it a client that speaks with the key of this tab. */
export function SessionProvider({ children }: { readonly children: ComponentChildren }): JSX.Element {
  const [key, keep] = useState(() => sessionStorage.getItem(KEY) ?? "");
  const session = useMemo<Session>(
    () => ({
      // The address of the page without what follows `#`: the API is beside the page, also below a path.
      client: createClient(new URL(".", location.href).href, key),
      hasKey: key !== "",
      setKey(given) {
        if (given === "") sessionStorage.removeItem(KEY);
        else sessionStorage.setItem(KEY, given);
        keep(given);
      },
    }),
    [key],
  );
  return <SessionContext.Provider value={session}>{children}</SessionContext.Provider>;
}

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (session === null) throw new Error("no SessionProvider above this component");
  return session;
}

export function useClient(): Client {
  return useSession().client;
}
