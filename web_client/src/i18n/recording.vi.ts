/** Tiếng Việt: why a recording did not start or stop. */
export const recordingFaults: Record<string, string> = {
  consent_missing: "Chưa có đồng ý ghi hình cho ca này, nên không ghi.",
  not_permitted: "Bạn không có quyền ghi hình ở phòng này.",
  recording_off: "Máy chủ chưa có khóa bảo mật, nên chưa ghi hình được. Hãy báo người quản trị.",
  already_recording: "Phòng này đang được ghi hình rồi.",
  not_recording: "Phòng này không còn được ghi hình.",
  other: "Chưa làm được. Hãy bấm lại; nếu vẫn lỗi, báo người quản trị.",
};
