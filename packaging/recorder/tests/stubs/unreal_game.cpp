// A game that records with the wrapper for Unreal. For the tests alone.

#include "GameVaultRecorder.h"

int main() {
  IModuleInterface* module = MakeModule();
  module->StartupModule();
  for (int number = 0; number < 1000; number++) FGameVaultRecorder::Event("step", FString::Printf("{\"n\":%d}", number));
  FGameVaultRecorder::Mark("größe", "naïve");
  FGameVaultRecorder::Save("auto", {1, 0, 2});
  FGameVaultRecorder::Log("Exception: fell");
  bool is_told = FGameVaultRecorder::Attach("no such file") == GV_ERR_NOT_FOUND;
  module->ShutdownModule();
  delete module;
  return is_told && FGameVaultRecorder::Event("late") == GV_ERR_ENDED ? 0 : 1;
}
