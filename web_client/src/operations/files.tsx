/** What can be taken away of a span of time: the incident report, and the samples as a table. */
import { useEffect, useRef, useState } from "preact/hooks";
import { language, words } from "../i18n";
import { Button } from "../ui/parts";
import { codeOfFailure } from "./api";
import type { OperationsApi, Span } from "./api";

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
  const [unopened, setUnopened] = useState<string | null>(null);
  const addresses = useRef<string[]>([]);
  useEffect(() => () => addresses.current.forEach((address) => URL.revokeObjectURL(address)), []);

  /** Where the file lies in this browser; null: it could not be had, and the page says so. */
  const made = async (take: () => Promise<Blob>): Promise<string | null> => {
    setFailed(null);
    setUnopened(null);
    setWorking(true);
    try {
      const address = URL.createObjectURL(await take());
      addresses.current.push(address);
      return address;
    } catch (error) {
      setFailed(codeOfFailure(error));
      return null;
    } finally {
      setWorking(false);
    }
  };

  const report = async (): Promise<void> => {
    // While the press lasts: a tab that is opened later may be taken for an advertisement.
    const tab = window.open("", "_blank");
    if (tab !== null) tab.document.body.textContent = t.confirm.working;
    const address = await made(() => api.report(room, span(), language.value));
    if (address === null) tab?.close();
    else if (tab === null || tab.closed) setUnopened(address);
    else tab.location.replace(address);
  };

  const csv = async (): Promise<void> => {
    const address = await made(() => api.csv(room, span()));
    if (address !== null) saved(address, `${room}.csv`);
  };

  return (
    <>
      <Button icon="full" word={t.report} onPress={() => void report()} disabled={working} />
      <Button icon="full" word={t.csv} onPress={() => void csv()} disabled={working} />
      {working && <span role="status">{t.confirm.working}</span>}
      {unopened !== null && (
        <a class="button main" href={unopened} target="_blank" rel="noopener">{t.openReport}</a>
      )}
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
