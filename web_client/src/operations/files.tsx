/** What can be taken away of a span of time: the incident report, and the samples as a table. */
import { useState } from "preact/hooks";
import { language, words } from "../i18n";
import { Button } from "../ui/parts";
import { codeOfFailure } from "./api";
import type { OperationsApi, Span } from "./api";

/** Long enough for a slow computer to open it. */
const KEPT_OPEN_MS = 60_000;

interface FilesProps {
  api: OperationsApi;
  room: string;
  /** The span as of now. */
  span: () => Span;
}

export function Files({ api, room, span }: FilesProps) {
  const t = words.value.operations;
  const [failed, setFailed] = useState<string | null>(null);
  const [working, setWorking] = useState(false);
  const taking = (take: () => Promise<Blob>, show: (address: string) => void) => async (): Promise<void> => {
    setFailed(null);
    setWorking(true);
    try {
      const address = URL.createObjectURL(await take());
      show(address);
      setTimeout(() => URL.revokeObjectURL(address), KEPT_OPEN_MS);
    } catch (error) {
      setFailed(codeOfFailure(error));
    } finally {
      setWorking(false);
    }
  };
  const report = taking(() => api.report(room, span(), language.value), (address) => window.open(address, "_blank", "noopener"));
  const csv = taking(() => api.csv(room, span()), (address) => saved(address, `${room}.csv`));
  return (
    <>
      <Button icon="full" word={t.report} onPress={() => void report()} />
      <Button icon="full" word={t.csv} onPress={() => void csv()} />
      {working && <span role="status">{t.confirm.working}</span>}
      {failed !== null && <strong class="advice" role="alert">{t.fileFailed(failed)}</strong>}
    </>
  );
}

function saved(address: string, name: string): void {
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
}
