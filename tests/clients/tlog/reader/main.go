// Reader checks a published log with torchwood: checkpoint, cosignatures, every entry and tile.
//
// Usage: reader FOLDER POLICY. It prints the origin, the size and the SHA-256 of all entries.
package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"filippo.io/torchwood"
)

func main() {
	if err := read(os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func read(folder, policyFile string) error {
	text, err := os.ReadFile(policyFile)
	if err != nil {
		return err
	}
	policy, err := torchwood.ParsePolicy(text)
	if err != nil {
		return err
	}
	signed, err := os.ReadFile(filepath.Join(folder, "checkpoint"))
	if err != nil {
		return err
	}
	checkpoint, _, err := torchwood.VerifyCheckpoint(signed, policy)
	if err != nil {
		return err
	}
	tiles, err := torchwood.NewTileFS(os.DirFS(folder))
	if err != nil {
		return err
	}
	client, err := torchwood.NewClient(tiles)
	if err != nil {
		return err
	}
	all := sha256.New()
	count := int64(0)
	for index, entry := range client.AllEntries(context.Background(), checkpoint.Tree, 0) {
		if index != count {
			return fmt.Errorf("entry %d in place of %d", index, count)
		}
		all.Write(entry)
		count++
	}
	if err := client.Err(); err != nil {
		return err
	}
	if count != checkpoint.N {
		return fmt.Errorf("%d entries in place of %d", count, checkpoint.N)
	}
	fmt.Printf("%s %d %x\n", checkpoint.Origin, count, all.Sum(nil))
	return nil
}
