"""What columns are called elsewhere: in other languages, and in the exports of other systems.

Written without case, accents, spaces and punctuation (`E-mail address` is `emailaddress`).
"""

_WORDS: dict[str, str] = {
    "email": """
        email emails emailaddress emailaddresses mail mailaddress subscriber subscriberemail contactemail
        useremail primaryemail workemail emailadresse mailadresse emailanschrift epost epostadress epostadresse
        epostadressa sahkoposti sahkopostiosoite correo correoelectronico direcciondecorreo
        direcciondecorreoelectronico courriel adressemail adresseemail adresseelectronique adressedemessagerie
        indirizzoemail postaelettronica enderecodeemail emaildocontato emailadres mailadres adresemail
        adrespocztyelektronicznej emailcim eposta epostaadresi имейл почта электроннаяпочта адресэлектроннойпочты
        адресэлпочты эпочта 电子邮件 电子邮箱 邮箱 邮箱地址 电邮 メール メールアドレス eメール 이메일 이메일주소
        البريدالالكتروني
    """,
    "first_name": """
        firstname fname givenname forename christianname first vorname rufname prenom nombre nombres primernombre
        nome primeironome voornaam fornamn fornavn etunimi imie keresztnev jmeno krestnijmeno ad adi isim имя 名
        名字 名前 名前名 이름
    """,
    "last_name": """
        lastname lname surname familyname last nachname familienname zuname nom nomdefamille apellido apellidos
        cognome sobrenome apelido achternaam efternamn etternavn efternavn sukunimi nazwisko vezeteknev prijmeni
        soyad soyadi soyisim фамилия 姓 姓氏 성
    """,
    "full_name": """
        name fullname contactname displayname subscribername customername namevollstandig vollstandigername
        vorundnachname namen nomcomplet nometprenom prenometnom nombrecompleto nombreyapellidos nomecompleto
        nomeecognome nomecognome volledigenaam naam namn navn nimi kokonimi imieinazwisko teljesnev celejmeno
        adsoyad фио полноеимя 姓名 氏名 お名前 성명
    """,
    "phone": """
        phone phonenumber phoneno telephone telephonenumber tel telno mobile mobilephone mobilenumber mobileno
        cell cellphone cellphonenumber sms smsnumber whatsapp telefon telefonnummer telefonnr handy handynummer
        mobil mobilnummer mobiltelefon rufnummer numerodetelephone telephonemobile portable telefono
        telefonomovil movil celular numerodetelefono telefonocellulare cellulare telefone telefonemovel telemovel
        telefoonnummer telefoon mobiel puhelin puhelinnumero matkapuhelin telefonszam numertelefonu cislotelefonu
        telefonnicislo телефон номертелефона мобильный 电话 手机 手机号 電話 電話番号 携帯電話 전화 전화번호
    """,
    "language": """
        language lang locale preferredlanguage preferredlocale languagecode sprache langue idioma lingua taal
        sprak jezyk nyelv jazyk dil язык 语言 言語 언어
    """,
    "time_zone": """
        timezone tz zeitzone fuseauhoraire zonahoraria fusoorario fusohorario tijdzone tidszon tidssone
        часовойпояс 时区
    """,
    "tags": """
        tags tag labels label etiketten schlagworte schlagworter stichworte markierungen etiquettes motscles
        etiquetas etichette taggar emneord tunnisteet tagi etykiety cimkek stitky etiketler теги метки 标签 タグ
        태그
    """,
    "attributes": """
        attributes attribs attributesjson customfieldsjson
    """,
    "status": """
        status state subscriptionstatus subscriberstatus emailstatus subscribed optinstatus emailmarketingstatus
        abonnementstatus statut estado stato tila allapot stav durum статус 状态 状態 ステータス 상태
    """,
    "unsubscribed_at": """
        unsubscribedat unsubtime unsubscribetime unsubscribedate unsubscribedon dateunsubscribed optouttime
        optoutdate optedoutat abgemeldetam abmeldedatum datededesinscription fechadebaja
        unsubscribed isunsubscribed optout optedout emailoptout hasoptedout hasoptedoutofemail donotcontact donotemail
        donotmail dnc blacklisted emailblacklisted blocklisted suppressed abgemeldet ausgetragen werbesperre
        desinscrit desabonne disiscritto
    """,
    "bounced_at": """
        bouncedat bouncetime bouncedate cleantime cleanedat hardbouncedat bounced isbounced hardbounced
    """,
    "complained_at": """
        complainedat complainttime complaintdate spamreportedat reportedasspamat complained
    """,
}

SYNONYMS: dict[str, str] = {word: target for target, words in _WORDS.items() for word in words.split()}

SOURCES: dict[str, dict[str, str]] = {
    # Account > Audience > Export: a ZIP with one file a status; the status is in which columns a file has.
    "mailchimp": {
        "email address": "email",
        "member_rating": "field:member_rating",
        "optin_time": "field:optin_time",
        "optin_ip": "field:optin_ip",
        "confirm_time": "field:confirm_time",
        "confirm_ip": "field:confirm_ip",
        "timezone": "time_zone",
        "cc": "field:country",
        "region": "field:region",
        "latitude": "ignore",
        "longitude": "ignore",
        "gmtoff": "ignore",
        "dstoff": "ignore",
        "last_changed": "ignore",
        "leid": "ignore",
        "euid": "ignore",
        "notes": "field:notes",
        "tags": "tags",
        "unsub_time": "unsubscribed_at",
        "unsub_campaign_title": "ignore",
        "unsub_campaign_id": "ignore",
        "unsub_reason": "field:unsub_reason",
        "unsub_reason_other": "ignore",
        "clean_time": "bounced_at",
        "clean_campaign_title": "ignore",
        "clean_campaign_id": "ignore",
    },
    # cmd/subscribers.go: uuid, email, name, attributes, status, created_at, updated_at.
    "listmonk": {
        "uuid": "ignore",
        "email": "email",
        "name": "full_name",
        "attributes": "attributes",
        "status": "status",
        "created_at": "ignore",
        "updated_at": "ignore",
    },
    # Contacts > Export: the aliases of the contact fields.
    "mautic": {
        "id": "ignore",
        "email": "email",
        "firstname": "first_name",
        "lastname": "last_name",
        "phone": "phone",
        "mobile": "field:mobile",
        "preferred_locale": "language",
        "timezone": "time_zone",
        "points": "field:points",
        "tags": "tags",
        "dnc": "unsubscribed_at",  # 1, or why
        "donotcontact": "unsubscribed_at",
        "stage": "field:stage",
        "owner": "ignore",
        "ispublished": "ignore",
        "dateadded": "ignore",
        "datemodified": "ignore",
        "dateidentified": "ignore",
        "lastactive": "ignore",
        "last_active": "ignore",
        "attribution": "ignore",
        "attribution_date": "ignore",
    },
    # An export of ours (exports/_reading.py, STANDARD); every other column is a custom field.
    "tidings": {
        "id": "ignore",
        "email": "email",
        "first_name": "first_name",
        "last_name": "last_name",
        "phone": "phone",
        "language": "language",
        "time_zone": "time_zone",
        "status": "status",
        "tags": "tags",
        "attributes": "attributes",
        "lists": "lists",
        "pending_lists": "ignore",  # whom only a confirmation of theirs puts on
        "unsubscribed_lists": "unsubscribed_lists",
        "created_at": "ignore",
        "updated_at": "ignore",
    },
}
"""Columns of exports that are recognised by their headers (see `mapping.source_of`)."""
