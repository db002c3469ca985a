// Records a playtest with gamevault_rec. A session begins with the module and ends with it.
//
//   FGameVaultRecorder::Event(TEXT("level_start"), TEXT("{\"level\":\"L3\"}"));

#pragma once

#include "CoreMinimal.h"
#include "Modules/ModuleManager.h"
#include "gamevault_rec.h"

class GAMEVAULTRECORDER_API FGameVaultRecorder : public IModuleInterface {
 public:
  virtual void StartupModule() override;
  virtual void ShutdownModule() override;

  // All may be called from any thread, also when no session is recorded; they return the codes of gamevault_rec.h.

  // Records an event with the text of a JSON object, or nothing.
  static int Event(const FString& Name, const FString& Json = FString());
  // Records that something is worth a look.
  static int Mark(const FString& Tag, const FString& Text = FString());
  // Copies a save, as FMemoryWriter made it.
  static int Save(const FString& Slot, const TArray<uint8>& Content);
  // Copies a file in the background; it must stay until the end.
  static int Attach(const FString& Path);
  // Adds a line to log.txt.
  static int Log(const FString& Text);

 private:
  static gv_session* Session;
};
