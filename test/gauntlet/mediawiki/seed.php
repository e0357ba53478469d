<?php
// Fills a wiki with articles, pictures and accounts (Writer0…; the password is the name and "-password"), as a
// maintenance script of MediaWiki.
use MediaWiki\MediaWikiServices;

require_once '/usr/share/mediawiki/maintenance/Maintenance.php';

class Seed extends Maintenance {
	private const WORDS = ['harbour', 'ledger', 'lantern', 'gravel', 'orchard', 'signal', 'copper', 'meadow', 'timber', 'anchor',
		'velvet', 'winter', 'bridge', 'candle', 'falcon', 'garden', 'hollow', 'island', 'jacket', 'kettle'];

	public function execute() {
		mt_srand(1);
		$services = MediaWikiServices::getInstance();
		$admin = User::newSystemUser('Admin', ['steal' => false]) ?? $services->getUserFactory()->newFromName('Admin');
		for ($i = 0; $i < 80; $i++) {
			$user = User::createNew("Writer$i");
			$user->changeAuthenticationData(['username' => "Writer$i", 'password' => "Writer$i-password", 'retype' => "Writer$i-password"]);
			$user->addToDatabase();
		}
		for ($i = 0; $i < 6; $i++) {
			$file = $this->picture($i);
			$services->getRepoGroup()->getLocalRepo()->newFile("Picture$i.jpg")
				->upload($file, 'a picture', "Picture $i", 0, false, false, $admin);
			unlink($file);
		}
		for ($i = 0; $i < 40; $i++) {
			$text = "'''Article $i''' is about " . $this->words(30) . "\n\n[[File:Picture" . $i % 6 . ".jpg|thumb|240px|A picture]]\n";
			for ($s = 0; $s < 2 + $i % 5; $s++) {
				$text .= "\n== " . rtrim($this->words(2), '.') . " ==\n" . $this->words(80) . ' See [[Article ' . mt_rand(0, 39) . "]].\n";
			}
			$this->page("Article $i", $text . "\n[[Category:Articles]]\n", $admin);
		}
		$list = implode("\n", array_map(fn($i) => "* [[Article $i]]", range(0, 39)));
		$this->page('Main Page', "Welcome.\n\n[[File:Picture0.jpg|thumb|200px|Today]]\n[[File:Picture1.jpg|thumb|200px|Yesterday]]\n$list", $admin);
		$this->page('Everything', $this->words(200) . "\n" . $list, $admin);
	}

	private function words(int $n): string {
		$list = [];
		while ($n-- > 0) {
			$list[] = self::WORDS[mt_rand(0, count(self::WORDS) - 1)];
		}
		return ucfirst(implode(' ', $list)) . '.';
	}

	private function page(string $name, string $text, User $user): void {
		$title = Title::newFromText($name);
		MediaWikiServices::getInstance()->getWikiPageFactory()->newFromTitle($title)
			->doUserEditContent(ContentHandler::makeContent($text, $title), $user, 'the first words');
	}

	private function picture(int $n): string {
		$image = imagecreatetruecolor(800, 500);
		for ($y = 0; $y < 500; $y += 5) {
			for ($x = 0; $x < 800; $x += 5) {
				imagefilledrectangle($image, $x, $y, $x + 4, $y + 4, mt_rand(0, 0xffffff));
			}
		}
		$file = wfTempDir() . "/gauntlet-$n-" . getmypid() . '.jpg';
		imagejpeg($image, $file, 60);
		return $file;
	}
}

$maintClass = Seed::class;
require_once RUN_MAINTENANCE_IF_MAIN;
