// Begins and ends the session with the game, and hands everything else on.

#include "GameVaultRecorder.h"

#include "Misc/EngineVersion.h"

gv_session* FGameVaultRecorder::Session = nullptr;

void FGameVaultRecorder::StartupModule() {
  const FString Options = FString::Printf(TEXT("{\"engine\":\"Unreal %s\"}"), *FEngineVersion::Current().ToString());
  Session = gv_session_begin(nullptr, nullptr, TCHAR_TO_UTF8(*Options));
  if (Session == nullptr) {
    UE_LOG(LogTemp, Warning, TEXT("GameVault records no session: %s"), UTF8_TO_TCHAR(gv_last_error()));
  }
}

// A game that crashes does not come here, and GameVault ends its session.
void FGameVaultRecorder::ShutdownModule() {
  gv_session_end(Session, GV_CLEAN);
}

int FGameVaultRecorder::Event(const FString& Name, const FString& Json) {
  return gv_event(Session, TCHAR_TO_UTF8(*Name), TCHAR_TO_UTF8(*Json));
}

int FGameVaultRecorder::Mark(const FString& Tag, const FString& Text) {
  return gv_mark(Session, TCHAR_TO_UTF8(*Tag), TCHAR_TO_UTF8(*Text));
}

int FGameVaultRecorder::Save(const FString& Slot, const TArray<uint8>& Content) {
  return gv_save(Session, TCHAR_TO_UTF8(*Slot), Content.GetData(), static_cast<size_t>(Content.Num()));
}

int FGameVaultRecorder::Attach(const FString& Path) {
  return gv_attach(Session, TCHAR_TO_UTF8(*Path));
}

int FGameVaultRecorder::Log(const FString& Text) {
  return gv_log(Session, TCHAR_TO_UTF8(*Text));
}

IMPLEMENT_MODULE(FGameVaultRecorder, GameVaultRecorder)
