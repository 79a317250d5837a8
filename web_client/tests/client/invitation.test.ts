import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { JoinRefused } from "../../src/client/errors";
import { exchange, invitationOfText, JOIN_PATH, roomOfPath, takeInvitation } from "../../src/client/invitation";
import type { Place } from "../../src/client/invitation";

function placeAt(pathname: string, hash: string, kept = new Map<string, string>()) {
  const urls: string[] = [];
  const place: Place = {
    location: { pathname, search: "", hash },
    history: { replaceState: (_data, _unused, url) => void urls.push(url) },
    storage: {
      getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => void kept.set(key, value),
      removeItem: (key) => void kept.delete(key),
    },
  };
  return { place, urls, kept };
}

describe("invitation", () => {
  it("leaves the address bar and stays in the tab, per room", () => {
    const { place, urls, kept } = placeAt("/theatre/7QK2", "#abc.def");
    expect(takeInvitation(place)).toBe("abc.def");
    expect(urls).toEqual(["/theatre/7QK2"]);
    expect(takeInvitation(placeAt("/theatre/7QK2", "", kept).place)).toBe("abc.def");
    expect(takeInvitation(placeAt("/theatre/OTHER", "", kept).place)).toBeNull();
  });

  it("is found in a pasted link or code", () => {
    expect(invitationOfText(" https://h/observe/7QK2#abc.def \n")).toBe("abc.def");
    expect(invitationOfText("abc. def")).toBe("abc.def");
    expect(invitationOfText("   ")).toBe("");
  });

  it("reads the room of a path, even a broken one", () => {
    expect(roomOfPath("/consult/Ph%C3%B2ng")).toBe("Phòng");
    expect(roomOfPath("/consult/%E0%A4")).toBe("%E0%A4");
    expect(roomOfPath("/")).toBe("");
  });
});

describe("exchange", () => {
  let server: Server | undefined;
  afterEach(() => server?.close());

  async function against(status: number, body: string): Promise<{ fetcher: typeof fetch; seen: string[] }> {
    const seen: string[] = [];
    server = createServer((request, response) => {
      seen.push(`${request.method ?? ""} ${request.url ?? ""} ${request.headers.authorization ?? ""}`);
      response.writeHead(status, { "content-type": "application/json", connection: "close" }).end(body);
    });
    await new Promise<void>((done) => server?.listen(0, "127.0.0.1", done));
    const { port } = server.address() as AddressInfo;
    const fetcher: typeof fetch = (path, init) => fetch(`http://127.0.0.1:${port}${path as string}`, init);
    return { fetcher, seen };
  }

  it("sends the invitation as a bearer and returns the admission", async () => {
    const { fetcher, seen } = await against(200, JSON.stringify({ token: "t", room: "R", role: "observer" }));
    await expect(exchange("inv", fetcher)).resolves.toMatchObject({ token: "t", room: "R" });
    expect(seen).toEqual([`POST ${JOIN_PATH} Bearer inv`]);
  });

  it.each([
    [401, "{}", "invitation_invalid", false], [403, '{"code":"not_permitted"}', "not_permitted", false],
    [503, '{"code":"draining"}', "draining", true], [502, "<html>", "http_502", true], [429, "{}", "http_429", true],
    [200, "<html>", "network", true],
  ])("status %d becomes a refusal with its code", async (status, body, code, retryable) => {
    const { fetcher } = await against(status, body);
    const refusal = await exchange("inv", fetcher).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(JoinRefused);
    expect(refusal).toMatchObject({ code, retryable });
  });

  it("tells an unreachable server", async () => {
    const fetcher: typeof fetch = () => fetch("http://127.0.0.1:9/");
    await expect(exchange("inv", fetcher)).rejects.toMatchObject({ code: "network", retryable: true });
  });
});
