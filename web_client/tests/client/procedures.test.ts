import { describe, expect, it } from "vitest";
import { JOIN_PATH } from "../../src/client/invitation";
import { ProcedureRefused, Procedures, TEXT_VERSION } from "../../src/client/procedures";

interface Asked { url: string; method: string; authorization: string; body: unknown }

/** A server that answers with these, in order; exchanges of the invitation give t1, t2, … */
function server(...answers: [number, unknown][]): { asked: Asked[]; fetcher: typeof fetch } {
  const asked: Asked[] = [];
  let tokens = 0;
  const answer = (url: string, init: RequestInit): Response => {
    if (url === JOIN_PATH) {
      tokens += 1;
      return Response.json({ token: `t${tokens}`, room: "7QK2", role: "staff", expires_at: 1 });
    }
    const headers = init.headers as Record<string, string>;
    const body: unknown = typeof init.body === "string" ? JSON.parse(init.body) : undefined;
    asked.push({ url, method: init.method ?? "GET", authorization: headers.authorization ?? "", body });
    const [status, said] = answers.shift() ?? [500, {}];
    return Response.json(said, { status });
  };
  const fetcher: typeof fetch = (input, init = {}) => Promise.resolve(answer(input as string, init));
  return { asked, fetcher };
}

const OPEN = { id: "p1", closed_at: null };

describe("Procedures", () => {
  it("finds the one that is not closed", async () => {
    const { asked, fetcher } = server([200, { procedures: [{ id: "old", closed_at: "2026-11-25T00:00:00Z" }, OPEN], unavailable: null }],
      [200, { procedures: [], unavailable: null }], [200, { procedures: [], unavailable: "no_master_key" }]);
    const api = new Procedures("invitation", fetcher);
    expect(await api.current("phòng 1")).toEqual(OPEN);
    expect(asked[0]?.url).toBe("/api/v1/rooms/ph%C3%B2ng%201/procedures");
    expect(await api.current("x")).toBeNull();
    await expect(api.current("x")).rejects.toMatchObject({ code: "no_master_key" });
  });

  it("keeps its token until it is refused, then asks again once", async () => {
    const { asked, fetcher } = server([200, OPEN], [401, { code: "unauthorized" }], [200, OPEN], [401, {}], [401, { code: "unauthorized" }]);
    const api = new Procedures("invitation", fetcher);
    await api.open("7QK2", "BN-1", "x", "teaching");
    await api.confirm("p1");
    expect(asked.map((one) => one.authorization)).toEqual(["Bearer t1", "Bearer t1", "Bearer t2"]);
    await expect(api.close("p1")).rejects.toMatchObject({ code: "unauthorized" });
  });

  it("sends the version of the text with every decision", async () => {
    const { asked, fetcher } = server([200, { purposes: [], history: [] }]);
    const consent = { purpose: "recording", decision: "given", by: "Ánh", relation: "patient", form: "written", language: "vi" } as const;
    await new Procedures("invitation", fetcher).decide("p1", consent);
    expect(asked[0]?.body).toEqual({ ...consent, text_version: TEXT_VERSION });
  });

  it("tells the server's reason, and a lost network apart from it", async () => {
    const { fetcher } = server([409, { code: "procedure_open" }], [502, "a proxy's page"]);
    const api = new Procedures("invitation", fetcher);
    await expect(api.open("7QK2", "x", "", "clinical")).rejects.toEqual(new ProcedureRefused("procedure_open"));
    await expect(api.open("7QK2", "x", "", "clinical")).rejects.toMatchObject({ code: "http_502" });
    const broken = new Procedures("invitation", () => Promise.reject(new TypeError("offline")));
    await expect(broken.current("x")).rejects.toMatchObject({ code: "network" });
  });
});
